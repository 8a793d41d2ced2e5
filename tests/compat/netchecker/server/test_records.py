"""Records in a store, and how old they are."""

from __future__ import annotations

import asyncio
import random

import pytest

from kubesonar.compat.netchecker.server.records import AgentRecords
from kubesonar.compat.netchecker.spec import AgentSpec
from kubesonar.net.clock import SystemClock
from kubesonar.stores.memory import MemoryStore
from kubesonar.stores.store import Put
from kubesonar.stores.write_behind import WriteBehind


class SteppedClock(SystemClock):
    """A clock of which the wall's time may be set, and whose durations a test lets pass."""

    step = passed = 0.0

    def wall(self) -> float:
        return 1.8e9 + self.step + self.passed

    def mono(self) -> float:
        return self.passed


def test_nc20_a_step_of_the_clock_ages_no_report_that_this_server_took() -> None:
    async def work() -> None:
        clock = SteppedClock()
        store = MemoryStore(1 << 20, clock)
        records = AgentRecords(WriteBehind(store, clock, random.Random(1), 60.0), clock, None)
        spec = AgentSpec(podname="a").received(clock.wall())
        records.keep("a", spec)
        clock.passed = 7.0
        for clock.step in (-3600.0, 0.0, 3600.0):
            assert records.age("a", (await records.all())["a"]) == 7.0
        assert records.age("b", spec) == 3607.0

    asyncio.run(work())


def test_nc40_names_that_are_made_up_take_no_more_room_than_the_bound(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        clock = SteppedClock()
        records = AgentRecords(WriteBehind(MemoryStore(1 << 20, clock), clock, random.Random(1), 60.0), clock, 60.0, 3)
        for number in range(5):
            records.keep(f"agent-{number}", AgentSpec(uptime=1))
        records.keep("agent-0", AgentSpec(uptime=2))
        found = await records.all()
        assert {name: spec.uptime for name, spec in found.items()} == {"agent-0": 2, "agent-1": 1, "agent-2": 1}
        records.drop("agent-1")
        records.keep("agent-4", AgentSpec())
        assert [*await records.all()] == ["agent-0", "agent-2", "agent-4"]

    asyncio.run(work())
    assert "a report is not kept: there are records of 3 agents, expected no more" in caplog.text


def test_what_is_no_record_is_passed_over() -> None:
    async def work() -> None:
        clock = SteppedClock()
        store = MemoryStore(1 << 20, clock)
        await store.write([Put("agents", "bad", b'{"uptime":"x"}'), Put("agents", "good", b'{"uptime":1}')])
        await store.write([Put("agents", "counters.node1", b"{}")])
        records = AgentRecords(WriteBehind(store, clock, random.Random(1), 60.0), clock, None)
        assert [*await records.all()] == ["good"]

    asyncio.run(work())
