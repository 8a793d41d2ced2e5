"""Carries out what the remedy decides, and says it: as log lines, Events and counts."""

from __future__ import annotations

import logging
from collections import Counter

from kubesonar.core.remedy.dns_round import DnsRound
from kubesonar.core.remedy.events import (
    Decision,
    Evicted,
    Eviction,
    Leading,
    NotLeading,
    RemedyAction,
    RemedyMemory,
    RemedyReason,
    RemedyVerb,
    Remember,
    RestartOutcome,
    RoundReport,
)
from kubesonar.core.remedy.options import RemedyOptions
from kubesonar.core.remedy.remedy import DnsRemedy
from kubesonar.doctor.repair.eviction import PodRestarter
from kubesonar.doctor.repair.lease_memory import LeaseMemory
from kubesonar.kube.event_recorder import EventRecorder, ObjectAddress
from kubesonar.net.clock import Clock

_LOG = logging.getLogger("kubesonar.doctor")

CONTROLLER = "kubesonar.io/doctor"
"""Name of the doctor in the Events that it posts."""

_ACTIONS = {
    RemedyVerb.RESTART: "Restart",
    RemedyVerb.SUGGEST: "SuggestRestart",
    RemedyVerb.REFUSE: "RefuseRestart",
}


class Repairer:
    """Takes rounds and acts on them. Without a `memory` nothing is ever restarted, as nobody knows who else acts;
    without a `recorder` no Events are posted. `decisions` counts decisions by verb and reason, `evictions` what became
    of restarts, `outcomes` whether they helped; `report` is that of the last round."""

    def __init__(
        self,
        options: RemedyOptions,
        restarter: PodRestarter,
        memory: LeaseMemory | None,
        recorder: EventRecorder | None,
        clock: Clock,
    ) -> None:
        self.decisions: Counter[tuple[RemedyVerb, RemedyReason]] = Counter()
        self.evictions: Counter[Eviction] = Counter()
        self.outcomes: Counter[bool] = Counter()
        self.report: RoundReport | None = None
        self._remedy = DnsRemedy(options)
        self._spent = RemedyMemory((0.0,) * options.hourly)
        self._restarter = restarter
        self._memory = memory
        self._recorder = recorder
        self._clock = clock
        self._held: bool | None = None
        self._leading = False
        self._logged: dict[str, tuple[RemedyVerb, RemedyReason]] = {}

    @property
    def due(self) -> float | None:
        """The time when the next round is wanted (s of the monotonic clock), None where the usual time will do."""
        return self._remedy.due

    def hold(self, held: bool | None) -> None:
        """Note whether this doctor holds the Lease; None: nobody knows. It counts from the next round on."""
        self._held = held

    async def take(self, found: DnsRound) -> list[RemedyAction]:
        """Decide on a round, act, and return what was decided and done."""
        await self._follow_lease()
        there = {pod.uid for pod in found.pods or ()}
        self._logged = {uid: said for uid, said in self._logged.items() if uid in there}
        return await self._carry_out(self._remedy.step(self._clock.mono(), found))

    async def _follow_lease(self) -> None:
        if self._leading and self._held is not True:
            self._leading = False
            self._remedy.step(self._clock.mono(), NotLeading())
        elif not self._leading and self._held is True and self._memory is not None:
            memory = await self._memory.read(self._spent)
            if memory is not None:
                self._leading = True
                self._remedy.step(self._clock.mono(), Leading(memory))

    async def _carry_out(self, actions: list[RemedyAction]) -> list[RemedyAction]:
        written = True
        done: list[RemedyAction] = []
        for action in actions:
            done.append(action)
            match action:
                case Remember(memory):
                    written = self._memory is not None and await self._memory.write(memory)
                case Decision():
                    await self._tell(action)
                    if action.verb is RemedyVerb.RESTART:
                        done += await self._restart(action, written)
                case RestartOutcome():
                    self.outcomes[action.helped] += 1
                    _LOG.log(logging.INFO if action.helped else logging.WARNING, "%s", action.sentence)
                case RoundReport():
                    self._report(action)
        return done

    async def _restart(self, decision: Decision, written: bool) -> list[RemedyAction]:
        eviction, detail = Eviction.NOT_TRIED, "it could not be written down in the Lease first"
        if written:
            eviction, detail = await self._restarter.restart(decision.namespace, decision.name, decision.uid)
        self.evictions[eviction] += 1
        if eviction is not Eviction.DONE:
            _LOG.warning("DNS pod %s was not restarted (%s): %s", decision.name, eviction.value, detail)
        return await self._carry_out(self._remedy.step(self._clock.mono(), Evicted(decision.uid, eviction, detail)))

    async def _tell(self, decision: Decision) -> None:
        """Count each decision; log it where it is another one than in the round before; post it, which the recorder
        limits."""
        self.decisions[decision.verb, decision.reason] += 1
        said = decision.verb, decision.reason
        if self._logged.get(decision.uid) != said:
            self._logged[decision.uid] = said
            _LOG.log(logging.INFO if decision.verb is RemedyVerb.REFUSE else logging.WARNING, "%s", decision.sentence)
        if self._recorder is not None:
            about = ObjectAddress("Pod", decision.namespace, decision.name, decision.uid)
            reason = "".join(word.capitalize() for word in decision.reason.value.split("_"))
            warning = decision.verb is not RemedyVerb.REFUSE
            await self._recorder.post(about, reason, _ACTIONS[decision.verb], decision.sentence, warning=warning)

    def _report(self, report: RoundReport) -> None:
        if self.report is not None and report.given_up and not self.report.given_up:
            _LOG.error("restarts do not help: no DNS pod is restarted until all of them answer for a while")
        self.report = report
