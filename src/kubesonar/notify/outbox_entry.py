"""One entry of the outbox."""

from __future__ import annotations

from typing import Annotated

import msgspec

NOTICE_BODY_LIMIT = 1 << 20
"""Largest body in bytes. Lower: notices with much evidence are refused; higher: one entry fills more of a disk."""


class OutboxEntry(msgspec.Struct, frozen=True):
    """A body that one receiver is still to get. `seq` grows from entry to entry and orders them, `id` and `subject` are
    the notice's, `told` is when the entry was made (Unix seconds)."""

    seq: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
    receiver: str
    id: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z_-]{1,128}\Z")]
    subject: str
    told: float
    body: Annotated[bytes, msgspec.Meta(max_length=NOTICE_BODY_LIMIT)]
