"""Pings on their way: each is repeated once half-way, so that one lost datagram means nothing, and is missed in the
end or answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubesonar.core.membership.events import Send
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.messages import Ping
from kubesonar.core.timers import Timer, Timers
from kubesonar.model import Condition

Missed = Callable[[float, str, float], None]


class _Underway:
    __slots__ = ("missed", "name", "ping", "sent", "timer")

    def __init__(self, now: float, name: str, ping: Ping, missed: Missed, timer: Timer) -> None:
        self.sent = now
        self.name = name
        self.ping = ping
        self.missed = missed
        self.timer = timer


class Pinging:
    """`missed(now, name, sent)` of a ping is called when nothing came within `answer` seconds, stretched by the own
    health."""

    def __init__(self, agenda: Timers, health: LocalHealth, out: list[Any], answer: float) -> None:
        self._agenda = agenda
        self._health = health
        self._out = out
        self._answer = answer
        self._number = 0
        self._underway: dict[int, _Underway] = {}

    def ping(self, now: float, name: str, missed: Missed, doubt: Condition = Condition.BACK, turn: int = 0) -> None:
        """Pings `name`, with what is doubted of it."""
        self._number = number = self._number + 1
        ping = Ping(number, doubt, turn)
        self._out.append(Send(name, ping))
        timer = self._agenda.at(now + self._half, self._again, number)
        self._underway[number] = _Underway(now, name, ping, missed, timer)

    def answered(self, source: str, number: int) -> bool:
        """Whether this answers a ping that is still waited for, which is then over."""
        underway = self._underway.get(number)
        if underway is None or underway.name != source:
            return False
        underway.timer.cancel()
        del self._underway[number]
        return True

    def refused(self, now: float, name: str) -> None:
        """Its host refused: what is on the way to it is missed already."""
        for number in [number for number, underway in self._underway.items() if underway.name == name]:
            self._underway[number].timer.cancel()
            self._miss(now, number)

    def forget(self) -> None:
        """What is on its way is no longer judged."""
        for underway in self._underway.values():
            underway.timer.cancel()
        self._underway.clear()

    @property
    def _half(self) -> float:
        return self._answer / 2 * self._health.stretch

    def _again(self, now: float, number: int) -> None:
        underway = self._underway[number]
        self._out.append(Send(underway.name, underway.ping))
        underway.timer = self._agenda.at(now + self._half, self._miss, number)

    def _miss(self, now: float, number: int) -> None:
        underway = self._underway.pop(number)
        underway.missed(now, underway.name, underway.sent)
