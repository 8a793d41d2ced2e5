"""Records in a store, and how old they are."""

from __future__ import annotations

import asyncio
import random

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


def test_what_is_no_record_is_passed_over() -> None:
    async def work() -> None:
        clock = SteppedClock()
        store = MemoryStore(1 << 20, clock)
        await store.write([Put("agents", "bad", b'{"uptime":"x"}'), Put("agents", "good", b'{"uptime":1}')])
        await store.write([Put("agents", "counters.node1", b"{}")])
        records = AgentRecords(WriteBehind(store, clock, random.Random(1), 60.0), clock, None)
        assert [*await records.all()] == ["good"]

    asyncio.run(work())
