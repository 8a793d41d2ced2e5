"""The ticks of one event loop: points in time that all timers of a process share, so that it wakes up seldom.

A wake-up for every timer and every datagram costs several times what is done in it (bench/results/rest.md). So what may
wait a fifth of a second waits for the next tick: timers of machines, probes that are due, and answers whose time of
arrival the kernel has stamped. What must not wait, as handshakes and requests, does without ticks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

from kubesonar.core.timers import Timer, Timers
from kubesonar.net.clock import Clock, SystemClock
from kubesonar.net.deadline import wake

TICK = 0.2
"""Seconds between two ticks. Longer, and answers of members, timeouts and confirmations are late by as much, and more
datagrams have to find room in the sockets' buffers meanwhile; shorter, and a process at rest wakes up more often."""

_HASTE = 4
"""Ticks in the time of one while somebody is in a hurry. More, and a process in a large outage wakes up more often;
fewer, and a death is told later, for which several waits follow each other."""

_SOONER = 0.01
"""Seconds by which a timer may be done before its time, where a tick is then: what a timer sets for some ticks later is
due a moment after a tick, because the tick that set it was late by a moment. Longer, and times are less exact; shorter,
and on a busy node periods are longer than was asked for, by a tick."""

_EARLY = 0.0005
"""Seconds added to each timer: uvloop's clock counts whole milliseconds, and a tick should not come before its time."""


class Ticks:
    """Calls what is due at each tick: first the readers, which take in what came since the last one, then the timers,
    so that an answer that came in time is known before its timeout. `late` is by how many seconds the latest tick was
    late. `clock` is that of the loop. Ticks are counted from the start of this object, so that those of the processes
    of one machine are not at the same time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, length: float = TICK) -> None:
        self.late = 0.0
        self._length = length
        self._loop = loop
        self._clock = clock
        self._timers = Timers()
        self._readers: list[Callable[[], None]] = []
        self._armed: asyncio.TimerHandle | None = None
        self._start = self._at = self._hasty_until = clock.mono()

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop, length: float = TICK) -> Ticks:
        """Return the ticks of this loop; they are made with this length (s) where there are none."""
        ticks = _TICKS.get(loop)
        if ticks is None:
            ticks = _TICKS[loop] = cls(loop, SystemClock(), length)
        return ticks

    def at(self, when: float, act: Callable[[float], None]) -> Timer:
        """Call `act` with the time (s) at the first tick from `when` on, or one that is up to 10 ms before, never at
        once. Return the timer, to cancel it."""
        timer = self._timers.at(when - _SOONER, act)
        if self._armed is None or not self._readers:
            self._arm()
        return timer

    def hasten(self, seconds: float) -> None:
        """Come four times as often for so long: messages follow each other, and for the last of them somebody waits."""
        self._hasty_until = max(self._hasty_until, self._clock.mono() + seconds)
        self._arm()

    def read_each(self, read: Callable[[], None]) -> None:
        """Call `read` at each tick from now on."""
        self._readers.append(read)
        self._arm()

    def read_no_more(self, read: Callable[[], None]) -> None:
        """Call `read` no more, if it was called at each tick."""
        self._readers = [other for other in self._readers if other != read]

    async def sleep(self, seconds: float) -> float:
        """Wait for the first tick after `seconds`; return how late (s) it was."""
        done: asyncio.Future[bool] = self._loop.create_future()
        timer = self.at(self._clock.mono() + seconds, lambda _: wake(done))
        try:
            await done
        finally:
            timer.cancel()
        return self.late

    async def each(self, seconds: float, act: Callable[[float], bool | None]) -> None:
        """Call `act` with how late (s) the tick was, at the first tick after every `seconds`, until it returns True or
        this coroutine is cancelled. What `act` raises goes to the loop's exception handler, and it is called again all
        the same. For what is short and frequent: `act` runs in the tick itself, where a task that sleeps runs in a turn
        of the loop after it, which costs several times as much."""
        timer: Timer
        done: asyncio.Future[bool] = self._loop.create_future()

        def beat(now: float) -> None:
            nonlocal timer
            timer = self.at(now + seconds, beat)
            if act(self.late):
                wake(done)

        timer = self.at(self._clock.mono() + seconds, beat)
        try:
            await done
        finally:
            timer.cancel()

    def _arm(self) -> None:
        """Set the loop's timer for the first tick at which there is something to do."""
        due = None if self._readers else self._timers.due  # with readers every tick comes
        if due is None and not self._readers:
            return
        now = self._clock.mono()
        at = max(now, self._at if self._armed is None else self._start)
        length = self._length / _HASTE if now < self._hasty_until else self._length
        following = self._start + ((at - self._start) // length + 1) * length
        if due is not None and due > following:
            following = self._start - (self._start - due) // length * length
        if self._armed is not None:
            if self._at <= following:
                return
            self._armed.cancel()
        self._at = following
        self._armed = self._loop.call_later(following - now + _EARLY, self._tick)

    def _tick(self) -> None:
        self._armed = None
        now = max(self._clock.mono(), self._at)
        self.late = now - self._at
        try:
            for read in self._readers:
                read()
            self._timers.run(now)
        finally:
            self._arm()  # a bug in one callback must not be the last tick


_TICKS: WeakKeyDictionary[asyncio.AbstractEventLoop, Ticks] = WeakKeyDictionary()
