"""The options of the election."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.core.membership.member_view import Rank
from kubesonar.model import Seconds


class ElectionOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The election of the coordinator."""

    order: Annotated[
        Rank,
        msgspec.Meta(description="Which id ranks higher: natural (node-10 before node-9) or bytes (as plain text)."),
    ] = Rank.NATURAL
    highest: Annotated[
        bool, msgspec.Meta(description="Whether a member of higher rank takes the office from one that holds it.")
    ] = False
    beacon: Annotated[
        Seconds, msgspec.Meta(ge=0.2, le=60, description="How often the coordinator speaks to every member.")
    ] = 1.0
    pace: Annotated[
        int,
        msgspec.Meta(ge=10, le=100_000, description="Most beacons a second; with more members they are further apart."),
    ] = 500
    answer: Annotated[
        Seconds, msgspec.Meta(ge=0.05, le=30, description="How long a member that is called has to answer.")
    ] = 0.4
    takeover: Annotated[
        Seconds, msgspec.Meta(ge=0.1, le=60, description="How long one that answered has to take the office.")
    ] = 1.0
    period: Annotated[
        Seconds,
        msgspec.Meta(ge=0, le=3600, description="Elections are also held this often; 0: only when there is a reason."),
    ] = 0.0
    minority: Annotated[
        Seconds,
        msgspec.Meta(ge=1, le=600, description="A coordinator without a majority for this long reports itself."),
    ] = 3.0
    welcome: Annotated[
        Seconds, msgspec.Meta(ge=0, le=3600, description="How long the other members may take to start.")
    ] = 30.0
