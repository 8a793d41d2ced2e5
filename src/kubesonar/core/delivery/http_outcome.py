"""The outcome of a try to deliver something by HTTP, and whose trouble a failure is."""

from __future__ import annotations

from enum import Enum

import msgspec

_OVERLOADED = frozenset({408, 425, 429, 502, 503, 504})
"""The statuses of RFC 9110 (sections 15.5.9 and 15.6.3 to 15.6.5), RFC 8470 (425) and RFC 6585 (429) by which a server
says that it could not look at the request, whatever was in it."""

_CONTENT = frozenset({400, 409, 413, 415, 422})
"""The statuses of RFC 9110 (section 15.5) that complain of what the request says."""


class Blame(Enum):
    """The party whose trouble a failed try is."""

    RECEIVER = "receiver"
    DELIVERY = "delivery"
    CONTENT = "content"


class Outcome(msgspec.Struct, frozen=True):
    """The HTTP status of a try, 0 where there was no answer and `detail` says why. `retry_after` is how long the
    receiver asked to wait (s), None where it did not."""

    status: int = 0
    detail: str = ""
    retry_after: float | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver has it."""
        return 200 <= self.status < 300

    @property
    def blame(self) -> Blame:
        """The party whose trouble a failed try is."""
        if self.status == 0 or self.status in _OVERLOADED:
            return Blame.RECEIVER
        return Blame.CONTENT if self.status in _CONTENT else Blame.DELIVERY

    @property
    def sentence(self) -> str:
        """The outcome in a few words, for logs."""
        return f"HTTP status {self.status}" if self.status else self.detail
