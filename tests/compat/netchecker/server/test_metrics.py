from __future__ import annotations

import random

from kubesonar.compat.netchecker.server.metrics import NetcheckerMetrics
from kubesonar.compat.netchecker.spec import AgentSpec
from kubesonar.stores.memory import MemoryStore
from kubesonar.stores.store import Put
from kubesonar.stores.write_behind import WriteBehind
from tests.virtual_time import VirtualClock, run_virtually


def test_after_a_restart_only_the_counts_that_change_are_written() -> None:
    async def work() -> None:
        memory = MemoryStore(1 << 20, VirtualClock())
        for node in ("n1", "n2"):
            counts = f'{{"agent":"{node}-private_network","reports":3,"errors":1}}'.encode()
            await memory.write([Put("counters", f"{node}-private-network", counts)])
        store = WriteBehind(memory, VirtualClock(), random.Random(1), 60.0)
        metrics = NetcheckerMetrics()
        await metrics.sync(store)
        assert (len(metrics.labels), store.waiting) == (2, 0)
        metrics.report("n1-private_network", AgentSpec())
        await metrics.sync(store)
        assert store.waiting == 1
        assert b'ncagent_report_count_total{agent="n1-private_network"} 4' in metrics.render()

    run_virtually(work())


def test_what_was_counted_before_the_store_answered_is_added_and_written() -> None:
    async def work() -> None:
        memory = MemoryStore(1 << 20, VirtualClock())
        await memory.write([Put("counters", "n1-private-network", b'{"agent":"n1-private_network","errors":2}')])
        store = WriteBehind(memory, VirtualClock(), random.Random(1), 60.0)
        metrics = NetcheckerMetrics()
        metrics.error("n1-private_network")
        await metrics.sync(store)
        assert store.waiting == 1
        assert b'ncagent_error_count_total{agent="n1-private_network"} 3' in metrics.render()

    run_virtually(work())
