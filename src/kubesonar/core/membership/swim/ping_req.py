"""Bearing witness: another member asks whether a third one answers us."""

from __future__ import annotations

from typing import Any

from kubesonar.core.membership.events import Look, Send
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.messages import PingReqReply, Reachability
from kubesonar.core.membership.swim.ping import Pinging
from kubesonar.core.timers import Timers
from kubesonar.model import Condition

JOBS = 256
"""Most members looked at for others at one time; asked for more, a member says that it is unable."""

ASKERS = 16
"""Most members that wait for one answer."""


class _Job:
    __slots__ = ("askers", "look", "sight")

    def __init__(self, look: int) -> None:
        self.askers: dict[str, int] = {}
        self.look = look
        self.sight = Reachability.UNABLE


class Witnessing:
    """One look serves all that ask about the same member meanwhile."""

    def __init__(self, agenda: Timers, health: LocalHealth, out: list[Any], pinging: Pinging, answer: float) -> None:
        self._agenda = agenda
        self._health = health
        self._out = out
        self._pinging = pinging
        self._answer = answer
        self._jobs: dict[str, _Job] = {}

    def ask(self, now: float, source: str, number: int, target: str, look: int) -> None:
        """`source` wants to know; `look` is a number for the look that may be needed."""
        job = self._jobs.get(target)
        if job is None:
            if len(self._jobs) >= JOBS:
                self._out.append(Send(source, PingReqReply(number, target, Reachability.UNABLE, 0.0)))
                return
            job = self._jobs[target] = _Job(look)
            self._pinging.ping(now, target, self._silent, Condition.SUSPECT)
            self._out.append(Look(look, target, self._answer))
            self._agenda.at(now + 1.3 * self._answer * self._health.stretch, self._testify, target, job)
        if len(job.askers) < ASKERS:
            job.askers[source] = number

    def looked(self, target: str, look: int, sight: Reachability) -> None:
        """What the look of that number showed."""
        job = self._jobs.get(target)
        if job is not None and job.look == look:
            job.sight = sight

    def answered(self, target: str, epoch: int, turn: int) -> None:
        """`target` itself spoke to us."""
        job = self._jobs.pop(target, None)
        if job is not None:
            for source, number in job.askers.items():
                self._out.append(Send(source, PingReqReply(number, target, Reachability.AGENT, 1.0, epoch, turn)))

    def forget(self) -> None:
        """We were not running: what was being looked at says nothing."""
        for target, job in self._jobs.items():
            for source, number in job.askers.items():
                self._out.append(Send(source, PingReqReply(number, target, Reachability.UNABLE, 0.0)))
        self._jobs.clear()

    def _silent(self, now: float, name: str, sent: float) -> None:
        """The ping was missed; the look is still to speak."""

    def _testify(self, now: float, target: str, job: _Job) -> None:
        if self._jobs.get(target) is not job:
            return
        del self._jobs[target]
        for source, number in job.askers.items():
            self._out.append(Send(source, PingReqReply(number, target, job.sight, self._health.weight)))
