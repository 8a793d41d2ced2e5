"""The protocol between replicas: a leader pushes what it has kept, a follower tells up to where it holds that."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.core.decoding import decode_document
from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeRecord

REPLICA_SCHEMA = 1
"""Version of pushes and their answers; raised when a reader of the version before could misread one."""

REPLICA_PATH = "/api/v1/replica"
"""The path at which a replica takes pushes, by POST."""

COPY_PATH = "/api/v1/replica/copy"
"""The path at which a replica gives a copy of what it holds, by GET."""

_NAME = Annotated[str, msgspec.Meta(max_length=300)]
_NUMBER = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]


class Position(msgspec.Struct, frozen=True, order=True):
    """Up to where something is held: the change `number` of the leader's `term`. Later ones are greater."""

    term: _NUMBER = 0
    number: _NUMBER = 0


class Records(msgspec.Struct, frozen=True, omit_defaults=True):
    """Records of incidents and of notices."""

    incidents: tuple[IncidentRecord, ...] = ()
    notices: tuple[NoticeRecord, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.incidents or self.notices)


class Push(msgspec.Struct, frozen=True, omit_defaults=True):
    """The records that `replica`, which leads in the term of `position`, has kept up to there: since `base`, or, where
    that is None, everything, in pages of which this is number `page`. `last` says that no page follows."""

    schema: int
    replica: _NAME
    position: Position
    base: Position | None = None
    page: _NUMBER = 0
    last: bool = True
    records: Records = Records()


class Held(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to a push: who answers, up to where it durably holds what was pushed, and the greatest term that it
    knows of. `refused` tells that another leader is known, so that nothing was taken. `whole` asks for a copy of
    everything."""

    schema: int
    replica: _NAME
    position: Position
    term: _NUMBER
    refused: bool = False
    whole: bool = False


def decode_push(body: bytes) -> Push | str:
    """Return the push in `body`, or the reason why there is none."""
    return decode_document(body, Push, REPLICA_SCHEMA, "push of a replica")


def decode_held(body: bytes) -> Held | str:
    """Return the answer in `body`, or the reason why there is none."""
    return decode_document(body, Held, REPLICA_SCHEMA, "answer of a replica")
