"""What a reflector does next, and how long it waits before: the deciding part, without a clock and without a socket.

Back-off is with full jitter (each wait is a random share of a limit that doubles), so that a thousand agents do not
come back at one moment after an outage. Not even a watch that ends at once can make it loop hot."""

from __future__ import annotations

import random
from enum import Enum
from typing import Annotated

import msgspec

from kubesonar.kube.errors import ApiError
from kubesonar.model import Seconds


class ReflectorOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the API server is listed and watched."""

    start: Annotated[
        Seconds,
        msgspec.Meta(ge=0, le=300, description="The first list waits a random share of this."),
    ] = 1.0
    backoff: Annotated[
        Seconds, msgspec.Meta(ge=0.01, le=60, description="The limit of the wait after a first failure; it doubles.")
    ] = 1.0
    ceiling: Annotated[
        Seconds, msgspec.Meta(ge=0.01, le=3600, description="The longest limit of the wait after failures.")
    ] = 30.0
    poll: Annotated[
        Seconds, msgspec.Meta(ge=0.1, le=3600, description="Between two lists where watching is not permitted.")
    ] = 30.0
    retry: Annotated[
        Seconds, msgspec.Meta(ge=0.1, le=86_400, description="Between two attempts to use a right that is missing.")
    ] = 300.0
    watch: Annotated[
        Seconds, msgspec.Meta(ge=1, le=3600, description="A watch lasts this long, or up to twice as long.")
    ] = 300.0
    relist: Annotated[
        Seconds, msgspec.Meta(ge=10, le=86_400, description="A list this old is made anew when a watch ends.")
    ] = 3600.0
    silence: Annotated[
        Seconds, msgspec.Meta(ge=0.1, le=3600, description="A watch without a byte for this long counts as dead.")
    ] = 150.0


class Turn(Enum):
    """What to do: list from the cache, list what is true now, or watch from the last version."""

    LIST = "0"
    LIST_EXACTLY = ""
    WATCH = "watch"


class Step(msgspec.Struct, frozen=True):
    """A turn, and the seconds to wait before it."""

    turn: Turn
    wait: float


_HEALED = 30.0
"""A watch that lived this long (s) proves that the trouble before is over."""

_EXPIRED = 410
_KEEPS_VERSION = frozenset({0, 401, 408, 429, 500, 502, 503, 504})
"""Statuses after which the last version is still worth trying; everything else says that it was not understood."""


class Pace:
    """Told how each turn went, it answers with the next `Step`. `rng` is drawn from for every wait."""

    def __init__(self, rng: random.Random, options: ReflectorOptions) -> None:
        self._rng = rng
        self._options = options
        self._failures = 0
        self._expiries = 0
        self._listed = 0.0
        self._watch_refused: float | None = None

    @property
    def failures(self) -> int:
        """Turns in a row that went wrong."""
        return self._failures

    def first(self) -> Step:
        """How to begin."""
        return Step(Turn.LIST, self._rng.uniform(0, self._options.start))

    def listed(self, now: float) -> Step:
        """A list came in, and what happened since then is to be seen at once (whatever went wrong before it was waited
        for). Where watching is not permitted, another list follows, and from time to time an attempt."""
        self._listed = now
        if self._watch_refused is None or now - self._watch_refused >= self._options.retry:
            return Step(Turn.WATCH, 0.0)
        self._failures = 0
        return Step(Turn.LIST, self._spread(self._options.poll))

    def began(self) -> None:
        """A watch is permitted and has begun."""
        self._watch_refused = None

    def ended(self, now: float, lasted: float) -> Step:
        """A watch that had begun came to an end, in order or torn."""
        self._lived(lasted)
        self._failures += 1
        turn = Turn.LIST if now - self._listed >= self._options.relist else Turn.WATCH
        return Step(turn, self._backoff())

    def failed(self, now: float, turn: Turn, error: ApiError, lasted: float = 0.0) -> Step:
        """A turn was refused, or not answered; a watch may have `lasted` until then."""
        self._lived(lasted)
        self._failures += 1
        wait = error.retry_after + self._backoff()
        if error.status == 403:
            return self._forbidden(now, turn, wait)
        if turn is not Turn.WATCH:
            return Step(Turn.LIST if error.status != _EXPIRED else Turn.LIST_EXACTLY, wait)
        if error.status == _EXPIRED:
            self._expiries += 1
            return Step(Turn.LIST_EXACTLY if self._expiries > 1 else Turn.LIST, wait)
        return Step(Turn.WATCH if error.status in _KEEPS_VERSION else Turn.LIST, wait)

    def watch_seconds(self) -> float:
        """How long the next watch is to last: between once and twice the option, so that not all begin anew at once."""
        return self._options.watch * self._rng.uniform(1, 2)

    def _forbidden(self, now: float, turn: Turn, wait: float) -> Step:
        if turn is Turn.WATCH:
            self._watch_refused, self._failures = now, 0
            return Step(Turn.LIST, self._spread(self._options.poll))
        return Step(Turn.LIST, max(wait, self._spread(self._options.retry)))

    def _lived(self, lasted: float) -> None:
        if lasted >= min(_HEALED, self._options.watch):
            self._failures = self._expiries = 0

    def _backoff(self) -> float:
        """A random share of a limit that doubles with each failure, but never next to nothing."""
        limit = min(self._options.ceiling, self._options.backoff * 2.0 ** min(self._failures - 1, 30))
        return max(self._options.backoff / 10, self._rng.uniform(0, limit))

    def _spread(self, period: float) -> float:
        return period * self._rng.uniform(0.8, 1.2)
