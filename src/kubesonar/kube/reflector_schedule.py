"""Decides what a reflector does next, and after which wait, without a clock and without a socket.

Back-off has full jitter (each wait is a random share of a limit that doubles), so that a thousand agents do not come
back at one moment after an outage. Even watches that end at once cannot make it loop without a wait.
"""

from __future__ import annotations

import random
from enum import Enum

import msgspec

from kubesonar.kube.errors import ApiError


class ReflectorPeriods(msgspec.Struct, frozen=True, kw_only=True):
    """Periods of a reflector, all in seconds."""

    start: float = 1.0
    """The first list waits a random share of this. Shorter: agents that start together ask at one moment."""
    backoff: float = 1.0
    """Limit of the wait after a first failure. It doubles with each failure in a row."""
    outage: float = 6.0
    """Highest limit of the wait while the API server does not answer. Longer: copies are out of date for longer than
    10 s after an outage; shorter: more attempts by all agents meanwhile."""
    ceiling: float = 30.0
    """Highest limit of the wait after what the API server refuses, and after watches that end at once. Shorter: a
    server that goes on refusing is asked more often."""
    poll: float = 30.0
    """Between two lists where watching is not permitted."""
    retry: float = 240.0
    """Between two attempts to use a right that is missing, give or take a fifth and one `poll`: with more, a right that
    is given is not used within 5 minutes."""
    watch: float = 300.0
    """Shortest watch; the longest is twice as long, so that not all begin anew at one moment."""
    relist: float = 3600.0
    """Age at which a list is made anew when a watch ends."""
    silence: float = 150.0
    """A watch without a byte for this long is given up. Bookmarks come about once a minute; shorter tears good ones."""


class ReflectorAction(Enum):
    """An action of a reflector: list from the cache, list exactly, or watch from the last version."""

    LIST = "0"
    LIST_EXACTLY = ""
    WATCH = "watch"


class NextAction(msgspec.Struct, frozen=True):
    """An action, and the seconds to wait before it."""

    action: ReflectorAction
    wait: float


_HEALED = 10.0
"""Seconds after which a watch that still lives proves that the trouble before is over."""

_EXPIRED = 410
_OUTAGE = frozenset({0, 500, 502, 503, 504})
"""Statuses by which nobody was asked to ask less: no answer, and those of a server or proxy that is not up yet."""

_KEEPS_VERSION = frozenset({0, 401, 408, 429, 500, 502, 503, 504})
"""Statuses after which a watch from the last version may still succeed; after any other the objects are listed."""


class ReflectorSchedule:
    """Takes the outcome of each action and returns the next one. `rng` is used for every wait."""

    def __init__(self, rng: random.Random, periods: ReflectorPeriods) -> None:
        self._rng = rng
        self._periods = periods
        self._failures = 0
        self._expiries = 0
        self._listed = 0.0
        self._watch_refused: float | None = None

    @property
    def failures(self) -> int:
        """The number of actions in a row that failed."""
        return self._failures

    def first(self) -> NextAction:
        """Return the first action."""
        return NextAction(ReflectorAction.LIST, self._rng.uniform(0, self._periods.start))

    def listed(self, now: float) -> NextAction:
        """Take note of a list; return a watch, at once, since the waits for earlier failures came before the list.

        Where watching is not permitted, return the next list, and from time to time an attempt to watch.
        """
        self._listed = now
        if self._watch_refused is None or now - self._watch_refused >= self._periods.retry:
            return NextAction(ReflectorAction.WATCH, 0.0)
        self._failures = 0
        return NextAction(ReflectorAction.LIST, self._spread(self._periods.poll))

    def began(self) -> None:
        """Take note that a watch is permitted and has begun."""
        self._watch_refused = None

    def ended(self, now: float, lasted: float) -> NextAction:
        """Take note that a watch ended after `lasted` seconds, in order or torn; return the next action."""
        self._forgive(lasted)
        self._failures += 1
        relist = now - self._listed >= self._periods.relist
        return NextAction(
            ReflectorAction.LIST if relist else ReflectorAction.WATCH,
            self._backoff(self._failures, self._periods.ceiling),
        )

    def failed(self, now: float, action: ReflectorAction, error: ApiError, lasted: float = 0.0) -> NextAction:
        """Take note that an action was refused or not answered; return the next one.

        `lasted` is how long a watch had lived by then (s).
        """
        self._forgive(lasted)
        self._failures += 1
        ceiling = self._periods.outage if error.status in _OUTAGE else self._periods.ceiling
        wait = error.retry_after + self._backoff(self._failures, ceiling)
        if error.status == 403:
            return self._forbidden(now, action, wait)
        if action is not ReflectorAction.WATCH:
            expired = error.status == _EXPIRED
            return NextAction(ReflectorAction.LIST_EXACTLY if expired else ReflectorAction.LIST, wait)
        if error.status == _EXPIRED:
            self._expiries += 1  # it answers again: what failed before delays no list
            wait = error.retry_after + self._backoff(self._expiries, self._periods.ceiling)
            again = self._expiries > 1
            return NextAction(ReflectorAction.LIST_EXACTLY if again else ReflectorAction.LIST, wait)
        return NextAction(ReflectorAction.WATCH if error.status in _KEEPS_VERSION else ReflectorAction.LIST, wait)

    def watch_seconds(self) -> float:
        """Return how long the next watch is to last (s)."""
        return self._periods.watch * self._rng.uniform(1, 2)

    def _forbidden(self, now: float, action: ReflectorAction, wait: float) -> NextAction:
        if action is ReflectorAction.WATCH:
            self._watch_refused, self._failures = now, 0
            return NextAction(ReflectorAction.LIST, self._spread(self._periods.poll))
        return NextAction(ReflectorAction.LIST, max(wait, self._spread(self._periods.retry)))

    def _forgive(self, lasted: float) -> None:
        """Forget earlier failures where a watch lived for long enough."""
        if lasted >= min(_HEALED, self._periods.watch):
            self._failures = self._expiries = 0

    def _backoff(self, failures: int, ceiling: float) -> float:
        """Return a random share of a limit that doubles with each failure, at least a tenth of the first limit."""
        limit = min(ceiling, self._periods.backoff * 2.0 ** min(failures - 1, 30))
        return max(self._periods.backoff / 10, self._rng.uniform(0, limit))

    def _spread(self, period: float) -> float:
        return period * self._rng.uniform(0.8, 1.2)
