"""Indirect probes (SWIM's ping-req): another member asks whether a third one answers this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubesonar.core.membership.events import ProbeHost, Send
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.messages import PingReq, PingReqReply, Reachability
from kubesonar.core.membership.swim.ping import Pings
from kubesonar.core.timers import Timers
from kubesonar.model import Condition

JOBS = 256
"""Most members probed for others at one time: a bound on host probes. Asked for more, the answer is UNABLE."""

ASKERS = 16
"""Most members that wait for the result of one probe: far more than watch one member."""


class _Job:
    __slots__ = ("askers", "number", "reachability")

    def __init__(self, number: int) -> None:
        self.askers: dict[str, int] = {}
        self.number = number
        self.reachability = Reachability.UNABLE


class IndirectProbes:
    """Probes members for others. One probe serves all that ask about the same member meanwhile."""

    def __init__(
        self, timers: Timers, emit: Callable[[Any], None], health: LocalHealth, pings: Pings, answer: float
    ) -> None:
        self._timers = timers
        self._emit = emit
        self._health = health
        self._pings = pings
        self._answer = answer
        self._jobs: dict[str, _Job] = {}

    def ask(self, now: float, source: str, request: PingReq, number: int) -> None:
        """Probe the target of a request for `source`; `number` is for the host probe that may be needed."""
        target = request.target
        job = self._jobs.get(target)
        if job is None:
            if len(self._jobs) >= JOBS:
                self.refuse(source, request)
                return
            job = self._jobs[target] = _Job(number)
            self._pings.send(now, target, doubt=Condition.SUSPECT)
            self._emit(ProbeHost(number, target, self._answer))
            self._timers.at(now + 1.3 * self._answer * self._health.multiplier, self._report, target, job)
        if len(job.askers) < ASKERS:
            job.askers[source] = request.number

    def refuse(self, source: str, request: PingReq) -> None:
        """Answer that this member cannot tell."""
        self._emit(Send(source, PingReqReply(request.number, request.target, Reachability.UNABLE, 0.0)))

    def host_probed(self, target: str, number: int, reachability: Reachability) -> None:
        """Take over the result of the host probe of that number. That the agent answered it is not reported: it names
        no incarnation, and a member that is alive answers the ping too."""
        job = self._jobs.get(target)
        if job is not None and job.number == number and reachability is not Reachability.AGENT:
            job.reachability = reachability

    def answered(self, target: str, epoch: int, incarnation: int) -> None:
        """Report that `target` itself answered."""
        self._reply(target, Reachability.AGENT, 1.0, epoch, incarnation)

    def forget(self) -> None:
        """Report of every probe under way that it cannot tell: this process did not run."""
        for target in list(self._jobs):
            self._reply(target, Reachability.UNABLE, 0.0)

    def _report(self, now: float, target: str, job: _Job) -> None:
        if self._jobs.get(target) is job:
            self._reply(target, job.reachability, self._health.weight)

    def _reply(
        self, target: str, reachability: Reachability, weight: float, epoch: int = 0, incarnation: int = 0
    ) -> None:
        job = self._jobs.pop(target, None)
        for source, number in job.askers.items() if job is not None else ():
            self._emit(Send(source, PingReqReply(number, target, reachability, weight, epoch, incarnation)))
