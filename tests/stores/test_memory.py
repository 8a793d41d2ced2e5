"""The store in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kubesonar.stores.memory import MemoryStore
from kubesonar.stores.store import Put, Store, StoreRefused
from tests.clocks import TurnedClock
from tests.stores.conformance import Conformance, names


class TestMemory(Conformance):
    clock = TurnedClock()

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Store]:
        yield MemoryStore(64 << 20, self.clock)

    async def let_pass(self, seconds: float) -> None:
        self.clock.ahead += seconds


def test_what_would_be_gone_first_makes_room_and_what_has_no_end_never_does() -> None:
    async def work() -> None:
        store = MemoryStore(10, TurnedClock())
        await store.write([Put("a", "for-ever", b"1234"), Put("a", "soon", b"12", 60), Put("a", "late", b"1234", 90)])
        await store.write([Put("a", "new", b"1")])
        assert await names(store, "a") == ["for-ever", "late", "new"]
        await store.write([Put("a", "late", b"12345", 10)])
        assert store.dropped == 1
        with pytest.raises(StoreRefused, match="full"):
            await store.write([Put("a", "more", b"1234567")])
        assert await names(store, "a") == ["for-ever", "late", "new"]

    asyncio.run(work())
