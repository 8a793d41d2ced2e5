"""Decides when this member cannot trust its own measurements: a starved observer sees loss where there is none.

Host noise is the main source of false alarms in the field (a CPU limit alone made "pings" of more than 100 ms). So a
member reports the periods in which it was starved, throttled, frozen, dropped what came to it or lost datagrams on its
own loopback, and the diagnosis leaves them out.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.model import Observation, Seconds, Trouble

_MANY_CONNECTIONS = 10
"""Connections dropped within one look that are a crowd. Fewer, and a member whose answers the network loses excuses
that loss as its own while another program's queue overflows; more, and a queue that overflows shortly is taken for a
network that does not answer."""

_AHEAD = 60.0
"""Seconds that a trouble may end after now: the longest timeout of a probe. Shorter, and such a trouble would end at
once; longer, and one would last as long after the wall clock was set back."""


class SelfHealthOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The limits beyond which a member stops trusting itself."""

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
    """Turns lags, throttling and loopback losses into troubles. Each method returns a `Trouble` when one opens or ends,
    else None. Times are Unix seconds."""

    def __init__(self, options: SelfHealthOptions) -> None:
        self._options = options
        self._open: Trouble | None = None
        self._last = 0.0

    def lag(self, now: float, late: float) -> Trouble | None:
        """The event loop woke `late` seconds later than asked."""
        if late < self._options.lag:
            return None
        return self._bad(now - late, now, f"event loop {late:.1f} s late: starved of CPU or frozen")

    def throttled(self, now: float, span: float, share: float) -> Trouble | None:
        """The cgroup throttled this process in `share` of the CPU periods of the last `span` seconds."""
        if share < self._options.throttled:
            return None
        return self._bad(now - span, now, f"throttled in {share:.0%} of CPU periods by its cgroup's limit")

    def loopback(self, observation: Observation) -> Trouble | None:
        """A train to the own responder came back, or part of it: loss there is nobody else's fault."""
        if observation.received == observation.sent:
            return None
        lost = observation.sent - observation.received
        end = observation.at + observation.check.timeout
        return self._bad(observation.at, end, f"lost {lost} of {observation.sent} datagrams on its own loopback")

    def dropped(self, now: float, span: float, count: int, what: str) -> Trouble | None:
        """`count` of `what` came in the last `span` seconds and were dropped unread: no loss of theirs is the
        network's. A few connections are none."""
        if what == "connections" and count < _MANY_CONNECTIONS:
            return None
        return self._bad(now - span, now, f"dropped {count} {what} that came faster than they could be taken")

    def calm(self, now: float) -> Trouble | None:
        """Time has passed; to be called about once a second."""
        if now < self._last - _AHEAD:
            self._last = now  # the wall clock was set back
        if self._open is None or now - self._last < self._options.calm:
            return None
        ended = msgspec.structs.replace(self._open, until=max(self._last, self._open.since))
        self._open = None
        return ended

    def _bad(self, since: float, until: float, cause: str) -> Trouble | None:
        self._last = max(self._last, until)
        if self._open is not None:
            return None
        self._open = Trouble(since=since, until=None, cause=cause)
        return self._open
