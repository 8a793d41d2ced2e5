"""What waits in an outbox."""

from __future__ import annotations

from typing import Annotated

import msgspec

NOTICE_BODY_LIMIT = 1 << 20
"""Largest body that is taken, in bytes."""


class OutboxEntry(msgspec.Struct, frozen=True):
    """What one receiver is still to be told. `seq` grows from entry to entry and is the order, `id` the notice's,
    `told` Unix seconds, `body` what is posted."""

    seq: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
    receiver: str
    id: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z_-]{1,128}$")]
    subject: str
    told: float
    body: Annotated[bytes, msgspec.Meta(max_length=NOTICE_BODY_LIMIT)]
