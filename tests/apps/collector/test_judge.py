"""When a collector that has just started begins to judge, in virtual time."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise

import pytest

from kubesonar.apps.collector.frames import JudgeAnswer
from kubesonar.apps.collector.judge import Judge
from kubesonar.apps.collector.judging_client import JudgingClient
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog
from kubesonar.core.diagnosis.verdict import Known
from kubesonar.core.telemetry.reports.mirrors import MirrorOptions, Mirrors
from kubesonar.core.telemetry.reports.report import REPORT_SCHEMA, Report, digest_of
from kubesonar.model import Health, Member, Roster, Snapshot, Verdict
from tests.virtual_time import VirtualClock, now, run_virtually

A, B = Member("a", "a", ("10.0.0.1",), 7473, epoch=1), Member("b", "b", ("10.0.0.2",), 7473, epoch=1)
ROSTER = Roster("r", (A, B))


class Judging(JudgingClient):
    """A process that finds all well after `took` seconds, or cannot tell any more, and notes when it was asked."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(MirrorOptions(), clock, lambda: None)
        self.clock = clock
        self.since = clock.mono()
        self.asked: list[float] = []
        self.took = 0.0
        self.blind_after = math.inf

    async def judge(self, known: Known) -> JudgeAnswer:
        self.asked.append(now())
        await asyncio.sleep(self.took)
        blind = now() > self.blind_after
        health = Health.UNKNOWN if blind else Health.GOOD
        wall = self.clock.wall()
        return JudgeAnswer(wall, Verdict(health, "well", wall, blind=blind), {}, 0.0, (), 0, 0.0)


class Starting:
    """A collector whose process has just begun; `began` is when it went on from what was before."""

    def __init__(self, *, decides: bool = True) -> None:
        self.clock = VirtualClock()
        self.log = IncidentLog()
        self.mirrors = Mirrors(MirrorOptions())
        self.judging = Judging(self.clock)
        self.began: list[float] = []
        self.judge = Judge(
            self.judging,
            self.mirrors,
            self.log,
            self.clock,
            lambda records: None,
            lambda: decides,
            lambda: self.began.append(now()),
        )

    def report(self, member: Member, sequence: int, roster: Roster | None = None) -> None:
        wall = self.clock.wall()
        head = Snapshot(1, member, wall, wall, Roster("", ()))
        self.mirrors.take(Report(REPORT_SCHEMA, sequence, 0, 2.0, digest_of(ROSTER), head, roster=roster), wall)


def test_it_waits_until_it_knows_whom_to_expect_and_all_have_reported_and_goes_on_once() -> None:
    async def work() -> tuple[list[float], list[float]]:
        start = Starting()
        task = asyncio.create_task(start.judge.run())
        start.report(A, 1)
        await asyncio.sleep(2.5)
        start.report(A, 2, ROSTER)
        await asyncio.sleep(2.5)
        start.report(B, 1)
        await asyncio.sleep(2.5)
        task.cancel()
        return start.judging.asked, start.began

    asked, began = run_virtually(work())
    assert asked[0] >= 5.0
    assert len(asked) >= 2
    assert began == asked[:1]


def test_it_does_not_wait_for_ever() -> None:
    async def work() -> list[float]:
        start = Starting()
        task = asyncio.create_task(start.judge.run())
        start.report(A, 1, ROSTER)
        await asyncio.sleep(15.0)
        task.cancel()
        return start.judging.asked

    asked = run_virtually(work())
    assert 10.0 <= asked[0] < 15.0


@pytest.mark.parametrize(
    ("agents", "took", "apart"), [(2, 0.1, 1.0), (2000, 0.1, 1.0), (2001, 0.1, 10.0), (2, 4.0, 6.0)]
)
def test_looks_are_a_second_apart_and_ten_in_a_large_mesh_and_more_where_one_takes_long(
    agents: int, took: float, apart: float
) -> None:
    async def work() -> list[float]:
        start = Starting()
        start.judging.took = took
        for number in range(agents):
            start.report(Member(f"m{number}", f"n{number}", ("10.0.0.1",), 7473, epoch=1), 1)
        task = asyncio.create_task(start.judge.run())
        await asyncio.sleep(45.0)
        task.cancel()
        return start.judging.asked

    asked = run_virtually(work())
    assert {round(later - earlier, 3) for earlier, later in pairwise(asked)} == {apart}


@pytest.mark.parametrize("decides", [True, False])
def test_a_replica_that_does_not_decide_believes_too_that_all_is_well_while_a_look_cannot_tell(decides: bool) -> None:
    async def work() -> list[Health]:
        start = Starting(decides=decides)
        task = asyncio.create_task(start.judge.run())
        start.report(A, 1, ROSTER)
        start.report(B, 1)
        await asyncio.sleep(5.5)
        start.judging.blind_after = now()
        if not decides:
            start.log.follow([], start.clock.wall())
        told = []
        for pause in (5.0, 10.0):
            await asyncio.sleep(pause)
            assert start.judge.latest is not None
            told.append(start.judge.latest.verdict.verdict)
        task.cancel()
        return told

    assert run_virtually(work()) == [Health.GOOD, Health.UNKNOWN]
