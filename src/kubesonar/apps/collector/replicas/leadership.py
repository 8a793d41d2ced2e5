"""Whether this replica leads: by what the election says, or, while that cannot be asked, by its followers' word."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from math import inf
from typing import Any, Protocol

from kubesonar.net.clock import Clock

_LOG = logging.getLogger("kubesonar.collector")

DURATION = 5
"""Seconds after which a leader that does not renew is replaced. Longer, and a successor is late; shorter, and a slow
API server changes leaders."""

RENEWAL_VALID = 3.5
"""Seconds for which a renewal entitles: less than `DURATION`, so that the old leader has stopped before the next one
begins. Shorter, and one slow renewal ends a leadership."""

_LOOK = 0.2
"""Seconds between two looks whether this replica leads. Longer, and it begins and ends to lead later."""


class ReplicaElection(Protocol):
    """A way to elect: `renewed` is when the last renewal that succeeded began (monotonic seconds, minus infinity while
    another leads), `current` who leads as far as it knows, and `term` a number that grows with each leader."""

    renewed: float
    current: str
    term: int

    async def run(self) -> None:
        """Try to lead, for ever."""
        ...

    async def release(self) -> None:
        """Let another lead at once."""
        ...


class Alone:
    """The election of a replica that is the only one: it leads for ever. See `ReplicaElection`."""

    renewed = inf
    term = 1

    def __init__(self, name: str) -> None:
        self.current = name

    async def run(self) -> None:
        """There is nothing to do."""

    async def release(self) -> None:
        """There is nobody else."""


class ReplicaLeadership:
    """Whether the replica `name` leads. `term` is the greatest that it knows of, its own while it leads. `promised`
    tells whether all followers have answered pushes that began after a time (monotonic seconds): what they promise by
    that, not to lead for `DURATION`, entitles as a renewal does while the election cannot be asked."""

    def __init__(self, name: str, clock: Clock, promised: Callable[[float], bool]) -> None:
        self.name = name
        self.term = 0
        self._clock = clock
        self._promised = promised
        self._election: ReplicaElection = Alone(name)
        self._acting = False
        self._leader = ""
        self._heard = -inf

    @property
    def leader(self) -> str:
        """The replica that leads, as far as is known; empty where none is known to."""
        if self.leads():
            return self.name
        return self._leader if self.follows() else ""

    def leads(self) -> bool:
        """Return whether this replica leads at this moment; to be asked before anything that only a leader does."""
        return self._acting and self._entitled()

    def follows(self) -> bool:
        """Return whether another leader was heard within `DURATION`, whom this replica then does not replace."""
        return self._clock.mono() - self._heard < DURATION

    def known(self, term: int) -> None:
        """Take note of a term that was led in before: this replica leads in a greater one."""
        self.term = max(self.term, term)

    def heard(self, leader: str, term: int) -> bool:
        """Take note of a push of `leader` in its `term`; return whether it leads, as far as this replica knows."""
        if term < self.term or (term == self.term and self._acting):
            return False
        self._acting = False
        self.term, self._leader, self._heard = term, leader, self._clock.mono()
        return True

    def refused(self, term: int) -> None:
        """Take note that another replica, which knows of this term, does not take this one for the leader: this one
        stops, and leads in a greater term if it still is the one that was elected."""
        self.term, self._acting = max(self.term, term), False

    async def run(self, election: ReplicaElection, duty: Callable[[int], Coroutine[Any, Any, None]]) -> None:
        """Run `duty` with the number of the term whenever this replica leads, and cancel it once it does no more. Never
        returns."""
        self._election = election
        while True:
            if self._clock.mono() - election.renewed < RENEWAL_VALID:
                self.term = max(election.term, self.term + 1)
                self._acting = True
                _LOG.info("this replica leads", extra={"replica": self.name, "term": self.term})
                await self._serve(duty(self.term))
                _LOG.warning("this replica leads no more", extra={"replica": self.name})
            await asyncio.sleep(_LOOK)

    async def _serve(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        try:
            while self.leads() and not task.done():
                await asyncio.wait([task], timeout=_LOOK)
        finally:
            self._acting = False
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    def _entitled(self) -> bool:
        now = self._clock.mono()
        return now - self._election.renewed < RENEWAL_VALID or self._promised(now - RENEWAL_VALID)
