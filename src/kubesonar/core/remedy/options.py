"""The options of the remedy."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from kubesonar.model import Seconds


class RepairMode(StrEnum):
    """The reaction to a sick DNS pod: nothing, a suggestion, or a restart."""

    OFF = "off"
    SUGGEST = "suggest"
    ON = "on"


class RemedyOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The conditions on which a DNS pod is restarted."""

    repair: Annotated[
        RepairMode,
        msgspec.Meta(description="What is done about a sick DNS pod: off, suggest a restart, or on: restart it."),
    ] = RepairMode.SUGGEST
    after: Annotated[
        Seconds,
        msgspec.Meta(
            ge=0, le=3600, description="How long a pod has been sick before it is restarted. A CNI restart takes 30 s."
        ),
    ] = 60.0
    nodes: Annotated[
        int,
        msgspec.Meta(ge=1, le=100, description="From how many nodes at least it must fail, where there are as many."),
    ] = 3
    pause: Annotated[
        Seconds, msgspec.Meta(ge=0, le=86400, description="Between two restarts, whichever pods they are of.")
    ] = 600.0
    hourly: Annotated[int, msgspec.Meta(ge=1, le=60, description="Most restarts in an hour.")] = 3
    sick: Annotated[
        float,
        msgspec.Meta(
            ge=0.1,
            le=1,
            description="Brake: where more than this share of the DNS pods, and 3 at least, is sick while others "
            "answer, their common cause is to be looked for, and none is restarted.",
        ),
    ] = 0.5
