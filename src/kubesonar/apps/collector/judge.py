"""Judges the mesh again and again by what agents reported, beside the loop that takes reports in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from kubesonar.apps.client.gather import Gathered, one_of_each
from kubesonar.apps.client.times import clock
from kubesonar.core.diagnosis.incidents.casebook import settled
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog, IncidentRecord
from kubesonar.core.diagnosis.joining.join import Basis, basis
from kubesonar.core.diagnosis.verdict import Known, verdict_on
from kubesonar.core.telemetry.reports.mirrors import Collected, Mirrors
from kubesonar.model import Verdict
from kubesonar.net.clock import Clock

JUDGE_PERIOD = 1.0
"""Seconds between two judgements, in a mesh of up to a thousand nodes. Longer, and faults are told later."""

_SHARE = 2.0
"""Times its own duration that a judgement pauses afterwards. Less, and in a large mesh judging leaves no CPU for
reports; more, and faults are told later there."""

_QUIET = 10.0
"""Seconds after the start without a word on who is missing: agents have to report first. Longer, and a collector that
starts during an outage says nothing for as long."""


class ClusterJudgement(msgspec.Struct, frozen=True):
    """The verdict on what agents reported up to `at` (Unix seconds), with the evidence, and how long judging took (s).
    `verdict` holds the open incidents as its findings."""

    at: float
    verdict: Verdict
    found: Basis
    took: float


class Judge:
    """Judges for ever, once it `run`s. `latest` is the last judgement, None before the first. `changed` is called after
    each with the incident records that are to be kept. Something becomes of incidents only while `decides` returns
    True; else they are what `log` holds of another collector's decisions."""

    def __init__(
        self,
        mirrors: Mirrors,
        log: IncidentLog,
        clock: Clock,
        changed: Callable[[list[IncidentRecord]], None],
        decides: Callable[[], bool],
    ) -> None:
        self.latest: ClusterJudgement | None = None
        self._mirrors = mirrors
        self._log = log
        self._clock = clock
        self._changed = changed
        self._decides = decides

    async def run(self) -> None:
        """Judge every second; less often where judging takes long."""
        began = self._clock.mono()
        while True:
            now = self._clock.mono()
            if self._mirrors and (now - began >= _QUIET or not self._mirrors.unread(self._clock.wall())):
                await self._judge()
            await asyncio.sleep(max(JUDGE_PERIOD, _SHARE * (self.latest.took if self.latest else 0.0)))

    async def _judge(self) -> None:
        began = self._clock.mono()
        collected = self._mirrors.collected(self._clock.wall())
        found, verdict = await asyncio.to_thread(_judged, collected, dict(self._log.casebook.known))
        changed = self._log.step(self._clock.wall(), verdict) if self._decides() else []
        took = self._clock.mono() - began
        self.latest = ClusterJudgement(collected.at, settled(verdict, self._log.casebook), found, took)
        self._changed(changed)


def _judged(collected: Collected, known: Known) -> tuple[Basis, Verdict]:
    gathered = one_of_each(Gathered(collected.snapshots, collected.unread))
    found = basis(gathered.snapshots, gathered.unread, collected.at)
    return found, verdict_on(found, clock, known)
