"""Times as the page shows them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

_TODAY = 43_200.0
"""Seconds from now within which the time of day says enough. More, and 02:00 may be yesterday's."""


class Moment(msgspec.Struct, frozen=True):
    """A time: an RFC 3339 time stamp (None for what no calendar has), and what people read."""

    stamp: str | None
    text: str


class PageTimes(msgspec.Struct, frozen=True):
    """The way in which times are written: `clock` and `day_and_time` turn Unix seconds into text, `stamp` into RFC
    3339. `zone` names the time zone of the former."""

    clock: Callable[[float], str]
    day_and_time: Callable[[float], str]
    stamp: Callable[[float], str | None]
    zone: str

    def moment(self, at: float, now: float) -> Moment:
        """Return the time of day, with the day where `at` is not close to `now`."""
        near = abs(now - at) < _TODAY
        return Moment(self.stamp(at), self.clock(at) if near else self.day_and_time(at))
