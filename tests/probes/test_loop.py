"""The probe loop: what is due is probed, and what came of it is remembered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from kubesonar.core.probing.budget import BudgetOptions
from kubesonar.core.probing.cluster_facts import Dependencies
from kubesonar.core.probing.plan import PlanOptions, Rhythm
from kubesonar.core.probing.planner import CheckPlanner, PlannerOptions
from kubesonar.core.probing.schedule import Schedule
from kubesonar.core.telemetry.ledger import Ledger, LedgerOptions
from kubesonar.model import Check, Fault, Kind, Member, Network, Observation, Path, Roster, State
from kubesonar.net.clock import SystemClock
from kubesonar.probes.loop import ProbeLoop
from kubesonar.runtime.supervise import Supervisor
from tests.waiting import until

ME = Member("me", "me", ("127.0.0.1",), 7473)
PLAN = PlanOptions(families=(4,), **{kind: Rhythm(period=0.02, timeout=0.1) for kind in ("udp", "tcp")})


def roster(state: State = State.SERVING) -> Roster:
    return Roster("1", (ME, Member("peer", "peer", ("127.0.0.2",), 7473, state=state)))


class Rig:
    """A loop whose probes end once `answers` is set: over loopback all is well, everybody else is silent."""

    def __init__(self, options: PlannerOptions) -> None:
        self.ledger = Ledger(ME, 0.0, LedgerOptions())
        self.own: list[Observation] = []
        self.asked: list[Check] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.supervisor = Supervisor()
        self.loop = ProbeLoop(
            self.ledger,
            CheckPlanner(options),
            {Kind.UDP: self.probe},
            Schedule("me"),
            self.supervisor,
            SystemClock(),
            lag=lambda late: None,
            loopback=self.own.append,
        )

    async def probe(self, check: Check) -> Observation:
        self.asked.append(check)
        await self.answers.wait()
        fault = None if check.path is Path.LOOPBACK else Fault.TIMEOUT
        return Observation(check, "me", Network.POD, 1.0, fault=fault, received=int(fault is None))


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


def test_what_is_due_is_probed_and_remembered(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        rig = Rig(PlannerOptions(plan=PLAN, budget=BudgetOptions(conntrack=100_000)))
        rig.loop.roster_changed(roster())
        await until(lambda: len(rig.own) > 1 and rig.loop.skipped > 1)  # tcp has no probe here
        assert {check.target for check in rig.asked} == {"me", "peer"}
        assert {one.check.path for one in rig.own} == {Path.LOOPBACK}
        assert {one.check.target for one in rig.ledger.latest()} == {"me", "peer"}
        rig.loop.stop()
        await rig.supervisor.stop()

    run(scenario)
    said = [record for record in caplog.records if "udp/pod/peer/v4: timeout" in record.getMessage()]
    assert [record.levelno for record in said] == [logging.WARNING]


def test_silence_of_a_member_that_drains_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        rig = Rig(PlannerOptions(plan=PLAN, budget=BudgetOptions(conntrack=100_000)))
        rig.loop.roster_changed(roster(State.DRAINING))
        await until(lambda: len(rig.asked) > 2)
        rig.loop.stop()
        await rig.supervisor.stop()

    with caplog.at_level(logging.INFO):
        run(scenario)
    assert {record.levelno for record in caplog.records if "peer" in record.getMessage()} == {logging.INFO}


def test_a_probe_that_fails_after_the_end_launches_no_other() -> None:
    async def scenario() -> None:
        rig = Rig(PlannerOptions(plan=PLAN, budget=BudgetOptions(conntrack=100_000)))
        rig.answers.clear()
        rig.loop.roster_changed(roster())
        await until(lambda: {check.target for check in rig.asked} == {"me", "peer"})
        rig.loop.stop()
        asked, late = len(rig.asked), asyncio.get_running_loop().time() + 2 * PLAN.udp.period
        await until(lambda: asyncio.get_running_loop().time() > late)  # all are due again
        rig.answers.set()
        await until(lambda: not len(rig.supervisor))
        assert len(rig.asked) == asked
        await rig.supervisor.stop()

    run(scenario)


def test_fewer_neighbours_than_asked_for_are_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    members = (ME, *(Member(f"n-{i}", f"n-{i}", (f"127.0.1.{i}",), 7473) for i in range(30)))

    async def scenario() -> None:
        options = PlannerOptions(plan=PlanOptions(families=(4,)), neighbours=30, budget=BudgetOptions(conntrack=300))
        rig = Rig(options)
        rig.loop.roster_changed(Roster("1", members))
        rig.loop.roster_changed(Roster("2", members))
        rig.loop.stop()
        await rig.supervisor.stop()

    run(scenario)
    assert [record.getMessage() for record in caplog.records] == [
        "fewer neighbours are probed, to keep to budget.conntrack"
    ]


def test_what_the_cluster_depends_on_is_planned_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    ingress = Check("http/ingress/ingress", Kind.HTTP, Path.INGRESS, "ingress", "", request="http://192.0.2.1/")

    async def scenario() -> None:
        rig = Rig(PlannerOptions())
        rig.loop.dependencies_changed(Dependencies((ingress,), ("DNS is not checked",)))
        rig.loop.dependencies_changed(Dependencies((ingress,), ("DNS is not checked",)))
        assert rig.ledger.lacks == ("DNS is not checked",)
        rig.loop.stop()
        await rig.supervisor.stop()

    run(scenario)
    assert [record.getMessage() for record in caplog.records] == ["DNS is not checked"]
