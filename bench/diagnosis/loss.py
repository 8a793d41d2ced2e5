"""How packets get lost in a component: by chance, in bursts, at times."""

from __future__ import annotations

from bisect import bisect_right
from random import Random
from typing import Protocol

_UNGROWN = 20.0
"""Seconds for which loss that grows is small: until even 10 % is told."""


class Loss(Protocol):
    """The chance (0 to 1) that a packet which is in the component at `now` is lost. Asked for times that may go back a
    little, because a train's way back is asked for before the next train's way there."""

    def at(self, now: float) -> float: ...


class Steady:
    """The same chance for every packet, each alone."""

    def __init__(self, share: float) -> None:
        self._share = share

    def at(self, now: float) -> float:
        """See `Loss`."""
        return self._share


class Bursts:
    """Gilbert-Elliott (Elliott, Bell System Technical Journal 42, 1963): a good state without loss and a bad one in
    which `share` of packets is lost, each for exponentially distributed times (mean seconds)."""

    def __init__(self, good: float, bad: float, share: float, rng: Random) -> None:
        self._means = (good, bad)
        self._share = share
        self._rng = rng
        self._first = rng.random() < bad / (good + bad)
        """Whether the first state is the bad one."""
        self._turns = [0.0]
        """When each state began: who sends again asks for times that others ask for later."""

    @classmethod
    def of_mean(cls, loss: float, bad: float, rng: Random) -> Bursts:
        """Bursts of `bad` seconds at 80 % loss, or total where `loss` is more, that lose `loss` in the mean."""
        share = 0.8 if loss < 0.6 else 1.0
        return cls(bad * (share - loss) / loss if loss < share else 1e-3, bad, share, rng)

    def at(self, now: float) -> float:
        """See `Loss`."""
        while now >= self._turns[-1]:
            state = self._first ^ (len(self._turns) % 2 == 0)
            self._turns.append(self._turns[-1] + self._rng.expovariate(1 / self._means[state]))
        passed = bisect_right(self._turns, now)
        return self._share if self._first ^ (passed % 2 == 0) else 0.0


class Growing:
    """A third of `share` is lost for the first seconds, and then all of it. It begins when it is first asked."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._grows: float | None = None

    def at(self, now: float) -> float:
        """See `Loss`."""
        if self._grows is None:
            self._grows = now + _UNGROWN
        return self._share if now >= self._grows else self._share / 3


class Flapping:
    """`share` is lost for `down` seconds out of each `period`, from `start` on."""

    def __init__(self, start: float, period: float, down: float, share: float) -> None:
        self._start, self._period, self._down, self._share = start, period, down, share

    def at(self, now: float) -> float:
        """See `Loss`."""
        return self._share if (now - self._start) % self._period < self._down else 0.0
