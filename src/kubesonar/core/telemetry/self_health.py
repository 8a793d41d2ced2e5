"""Whether this member itself can be trusted just now: an observer that is starved sees loss where there is none.

Host noise is the main source of false alarms in the field (a CPU limit alone made "pings" of more than 100 ms), so a
member says when it was starved, throttled, frozen or deaf on its own loopback, and whoever judges leaves that time out.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.model import Observation, Seconds, Trouble

_AHEAD = 60.0
"""A trouble ends no further in the future than this (s): the longest timeout of a probe."""


class SelfHealthOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a member stops trusting itself."""

    lag: Annotated[
        Seconds, msgspec.Meta(gt=0, le=60, description="An event loop that is this late is starved, or was frozen.")
    ] = 0.5
    throttled: Annotated[
        float, msgspec.Meta(gt=0, le=1, description="Share of CPU periods throttled by the cgroup that is too much.")
    ] = 0.5
    calm: Annotated[
        Seconds, msgspec.Meta(gt=0, le=600, description="Without trouble for this long, a member trusts itself again.")
    ] = 2.0


class SelfHealth:
    """Turns lags, throttling and loopback losses into `Trouble`s. Times are Unix seconds."""

    def __init__(self, options: SelfHealthOptions) -> None:
        self._options = options
        self._open: Trouble | None = None
        self._last = 0.0

    def lag(self, now: float, late: float) -> Trouble | None:
        """The loop woke `late` seconds later than asked."""
        if late < self._options.lag:
            return None
        return self._bad(now - late, now, f"event loop {late:.1f} s late: starved of CPU or frozen")

    def throttled(self, now: float, span: float, share: float) -> Trouble | None:
        """In the last `span` seconds the cgroup throttled this share of CPU periods."""
        if share < self._options.throttled:
            return None
        return self._bad(now - span, now, f"throttled in {share:.0%} of CPU periods by its cgroup's limit")

    def loopback(self, observation: Observation) -> Trouble | None:
        """A train to the own responder over loopback: loss there is nobody else's fault."""
        if observation.received == observation.sent:
            return None
        lost = observation.sent - observation.received
        end = observation.at + observation.check.timeout
        return self._bad(observation.at, end, f"lost {lost} of {observation.sent} datagrams on its own loopback")

    def calm(self, now: float) -> Trouble | None:
        """The trouble that has just ended, if one has; to be asked now and then."""
        if now < self._last - _AHEAD:
            self._last = now  # the wall clock was set back
        if self._open is None or now - self._last < self._options.calm:
            return None
        ended = msgspec.structs.replace(self._open, until=max(self._last, self._open.since))
        self._open = None
        return ended

    def _bad(self, since: float, until: float, cause: str) -> Trouble:
        self._last = max(self._last, until)
        if self._open is None:
            self._open = Trouble(since=since, until=None, cause=cause)
        return self._open
