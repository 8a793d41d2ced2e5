"""Pings under way. Each is repeated once half-way, so that one lost datagram means nothing, and is answered or missed
in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubesonar.core.membership.events import Send
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.messages import Ping
from kubesonar.core.timers import Timer, Timers
from kubesonar.model import Condition

Missed = Callable[[float, str, float], None]


class _UnderWay:
    __slots__ = ("missed", "name", "ping", "sent", "timer")

    def __init__(self, now: float, name: str, ping: Ping, missed: Missed | None, timer: Timer) -> None:
        self.sent = now
        self.name = name
        self.ping = ping
        self.missed = missed
        self.timer = timer


class Pings:
    """Sends pings and waits `answer` seconds, times the local health multiplier, for each answer."""

    def __init__(self, timers: Timers, emit: Callable[[Any], None], health: LocalHealth, answer: float) -> None:
        self._timers = timers
        self._emit = emit
        self._health = health
        self._answer = answer
        self._number = 0
        self._under_way: dict[int, _UnderWay] = {}

    def send(
        self,
        now: float,
        name: str,
        missed: Missed | None = None,
        doubt: Condition = Condition.BACK,
        incarnation: int = 0,
    ) -> None:
        """Ping the member `name`, and say what is doubted of it. Without an answer in time `missed(now, name, sent)` is
        called."""
        self._number = number = self._number + 1
        ping = Ping(number, doubt, incarnation)
        self._emit(Send(name, ping))
        timer = self._timers.at(now + self._half, self._again, number)
        self._under_way[number] = _UnderWay(now, name, ping, missed, timer)

    def answered(self, source: str, number: int) -> bool:
        """Whether this answers a ping that is still waited for, which is then over."""
        ping = self._under_way.get(number)
        if ping is None or ping.name != source:
            return False
        ping.timer.cancel()
        del self._under_way[number]
        return True

    def refused(self, now: float, name: str) -> None:
        """Take the pings to a member whose host refused a datagram for missed."""
        for number in [number for number, ping in self._under_way.items() if ping.name == name]:
            self._under_way[number].timer.cancel()
            self._miss(now, number)

    def forget(self) -> None:
        """Wait for no answer any more."""
        for ping in self._under_way.values():
            ping.timer.cancel()
        self._under_way.clear()

    @property
    def _half(self) -> float:
        return self._answer / 2 * self._health.multiplier

    def _again(self, now: float, number: int) -> None:
        ping = self._under_way[number]
        self._emit(Send(ping.name, ping.ping))
        ping.timer = self._timers.at(now + self._half, self._miss, number)

    def _miss(self, now: float, number: int) -> None:
        ping = self._under_way.pop(number)
        if ping.missed is not None:
            ping.missed(now, ping.name, ping.sent)
