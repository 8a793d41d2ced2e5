"""Has the mesh judged again and again by what agents reported, and what becomes of incidents decided."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec

from kubesonar.apps.collector.judging_client import JudgingClient, JudgingGone
from kubesonar.core.diagnosis.incidents.casebook import settled
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog, IncidentRecord
from kubesonar.core.telemetry.reports.mirrors import Mirrors
from kubesonar.model import Verdict
from kubesonar.net.clock import Clock

JUDGE_PERIOD = 1.0
"""Seconds between the beginnings of two judgements, in a mesh of up to a thousand nodes. Longer, and faults are told
later."""

_LARGE = 2000
"""Agents beyond which judging is less frequent: a thousand nodes with two each. More, and one judgement takes as long
as the pause between two."""

_LARGE_PERIOD = 10.0
"""Seconds between the beginnings of two judgements in a larger mesh."""

_SHARE = 0.5
"""Times its own duration that a judgement pauses afterwards at least. Less, and judging takes a whole CPU; more, and
faults are told later where it takes long."""

_QUIET = 10.0
"""Seconds after the start without a word on who is missing: agents have to report first. Longer, and a collector that
starts during an outage says nothing for as long."""


class ClusterJudgement(msgspec.Struct, frozen=True):
    """The verdict on what agents reported up to `at` (Unix seconds), who is excused and why, how long judging took (s),
    and the memory (bytes) and CPU (s) of the process that did. `verdict` holds the open incidents as its findings."""

    at: float
    verdict: Verdict
    excused: dict[str, str]
    took: float
    resident: int
    cpu: float


class Judge:
    """Judges for ever, once it `run`s. `latest` is the last judgement, None before the first. `changed` is called after
    each with the incident records that are to be kept. Something becomes of incidents only while `decides` returns
    True; else they are what `log` holds of another collector's decisions. `begin` is called once, before the first
    judgement, when enough agents have reported."""

    def __init__(
        self,
        judging: JudgingClient,
        mirrors: Mirrors,
        log: IncidentLog,
        clock: Clock,
        changed: Callable[[list[IncidentRecord]], None],
        decides: Callable[[], bool],
        begin: Callable[[], None],
    ) -> None:
        self.latest: ClusterJudgement | None = None
        self._begin = begin
        self._began = False
        self._judging = judging
        self._mirrors = mirrors
        self._log = log
        self._clock = clock
        self._changed = changed
        self._decides = decides

    async def run(self) -> None:
        """Judge every second; less often in a large mesh, and where judging takes long."""
        while True:
            began = self._clock.mono()
            if self._may_judge(began):
                if not self._began:
                    self._began = True
                    self._begin()
                with suppress(JudgingGone):
                    await self._judge()
            period = JUDGE_PERIOD if len(self._mirrors) <= _LARGE else _LARGE_PERIOD
            took = self._clock.mono() - began
            await asyncio.sleep(max(period - took, _SHARE * took))

    def _may_judge(self, now: float) -> bool:
        """Whether enough is known: all agents have reported since the process began, or had the time to."""
        since = self._judging.since
        if since is None or not self._mirrors:
            return False
        expected = next(self._mirrors.members(), None) is not None  # a roster comes with an agent's second report only
        return now - since >= _QUIET or (expected and not self._mirrors.unread(self._clock.wall()))

    async def _judge(self) -> None:
        answer = await self._judging.judge(self._log.casebook.known)
        for identity in answer.lacking:
            self._mirrors.ask_again(identity)
        changed: list[IncidentRecord] = []
        if self._decides():
            changed = self._log.step(self._clock.wall(), answer.verdict)
        else:
            self._log.casebook.note(self._clock.wall(), answer.verdict)
        self.latest = ClusterJudgement(
            answer.at,
            settled(answer.verdict, self._log.casebook),
            answer.excused,
            answer.took,
            answer.resident,
            answer.cpu,
        )
        self._changed(changed)
