"""The options of failure detection."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.model import Seconds


class SuspicionOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The detection of a member's death."""

    watched: Annotated[int, msgspec.Meta(ge=1, le=16, description="How many members each member watches.")] = 3
    interval: Annotated[
        Seconds, msgspec.Meta(ge=0.1, le=60, description="Between two pings; those watched are pinged in turn.")
    ] = 1.0
    answer: Annotated[
        Seconds, msgspec.Meta(ge=0.05, le=30, description="No answer for so long, to two pings, raises a suspicion.")
    ] = 0.5
    refute: Annotated[
        Seconds, msgspec.Meta(ge=0.1, le=60, description="How long a suspected member has at least to answer anybody.")
    ] = 1.0
    witnesses: Annotated[
        int,
        msgspec.Meta(ge=1, le=3, description="Others that must have seen the same, where there are so many."),
    ] = 2
    zones: Annotated[int, msgspec.Meta(ge=1, le=3, description="Zones they must be of, where there are so many.")] = 2
    welcome: Annotated[
        Seconds, msgspec.Meta(ge=0, le=3600, description="How long a new member may take to answer for the first time.")
    ] = 30.0
    stretch: Annotated[
        int,
        msgspec.Meta(ge=0, le=16, description="How many times longer a starved member waits at most; 0: not at all."),
    ] = 8
