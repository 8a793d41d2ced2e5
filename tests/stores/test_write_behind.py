"""Writes to a store that may be away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from kubesonar.stores.memory import MemoryStore
from kubesonar.stores.store import (
    READ_LIMIT,
    VALUE_LIMIT,
    Change,
    Delete,
    Guard,
    Put,
    StoredRecord,
    StoreRefused,
    StoreUnavailable,
)
from kubesonar.stores.write_behind import PENDING_BYTES, WriteBehind
from tests.virtual_time import VirtualClock, now, run_virtually


class Failing(MemoryStore):
    """A store that is `away` while a test says so, and refuses records whose name begins with "bad"."""

    def __init__(self) -> None:
        super().__init__(1 << 30, VirtualClock())
        self.away = False
        self.slow = 0.0
        self.writes: list[int] = []

    async def write(self, changes: Sequence[Change], guard: Guard | None = None) -> bool:
        self._check()
        if any(change.name.startswith("bad") for change in changes):
            raise StoreRefused("it is bad")
        self.writes.append(len(changes))
        return await super().write(changes, guard)

    async def read(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int = READ_LIMIT
    ) -> list[StoredRecord]:
        self._check()
        found = await super().read(kind, prefix=prefix, after=after, limit=limit)
        await asyncio.sleep(self.slow)  # what is written meanwhile is not in the answer
        return found

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable("nobody answers")


@asynccontextmanager
async def behind(store: Failing) -> AsyncIterator[WriteBehind]:
    writer = WriteBehind(store, VirtualClock(), random.Random(1), keep=60.0)
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_what_is_taken_over_is_read_at_once_and_written_together() -> None:
    async def work() -> None:
        store = Failing()
        async with behind(store) as writer:
            writer.write([Put("a", f"{number:03d}", b"{}") for number in range(80)])
            writer.write([Put("a", f"{number:03d}", b"{}") for number in range(40, 110)])
            assert len(await writer.read("a")) == 110
            await asyncio.sleep(1)
            assert store.writes == [100, 10]
            writer.write([Delete("a", "000")])
            assert "000" not in await writer.read("a")

    run_virtually(work())


def test_an_outage_is_bridged_from_memory_and_made_up_for() -> None:
    async def work() -> None:
        store = Failing()
        async with behind(store) as writer:
            await store.write([Put("a", "of-another", b"{}")])
            writer.write([Put("a", "before", b"{}", 30.0)])
            assert len(await writer.read("a")) == 2
            await asyncio.sleep(1)
            store.away = True
            writer.write([Put("a", "during", b'{"n":1}'), Put("a", "short", b"{}", 5.0)])
            assert sorted(await writer.read("a")) == ["before", "during", "of-another", "short"]
            assert writer.unread == "nobody answers"
            await asyncio.sleep(10)
            writer.write([Put("a", "during", b'{"n":2}'), Delete("a", "before")])
            assert sorted(await writer.read("a")) == ["during", "of-another"]
            await asyncio.sleep(60)
            assert sorted(await writer.read("a")) == ["during"]
            store.away = False
            assert writer.unwritten == "nobody answers"
            await asyncio.sleep(8)
            assert writer.unwritten == ""
            await writer.read("a")
            assert writer.unread == ""
            assert {record.name: record.value for record in await store.read("a")} == {
                "during": b'{"n":2}',
                "of-another": b"{}",
            }
            assert writer.dropped == 0

    run_virtually(work())


def test_a_record_whose_time_has_run_in_the_outage_lives_only_for_what_is_left() -> None:
    async def work() -> None:
        store = Failing()
        async with behind(store) as writer:
            store.away = True
            writer.write([Put("a", "x", b"{}", 30.0)])
            await asyncio.sleep(20)
            store.away = False
            await asyncio.sleep(8)
            assert await store.get("a", "x")
            await asyncio.sleep(3)
            assert await store.get("a", "x") is None

    run_virtually(work())


def test_in_a_long_outage_the_oldest_are_dropped_and_counted() -> None:
    async def work() -> None:
        store = Failing()
        store.away = True
        async with behind(store) as writer:
            for number in range(PENDING_BYTES // VALUE_LIMIT + 3):
                writer.write([Put("a", f"{number:03d}", bytes(VALUE_LIMIT))])
            assert writer.dropped == 3
            store.away = False
            await asyncio.sleep(60)
            kept = [record.name for record in await store.read("a")]
            assert (kept[0], len(kept)) == ("003", PENDING_BYTES // VALUE_LIMIT)

    run_virtually(work())


def test_a_record_that_the_store_refuses_takes_no_other_with_it() -> None:
    async def work() -> None:
        store = Failing()
        async with behind(store) as writer:
            writer.write([Put("a", name, b"{}") for name in ("good", "bad", "well")])
            await asyncio.sleep(1)
            assert [record.name for record in await store.read("a")] == ["good", "well"]
            assert writer.dropped == 1
            with pytest.raises(StoreRefused):
                writer.write([Put("a", "no name", b"{}")])

    run_virtually(work())


def test_more_records_than_one_read_returns_are_read() -> None:
    async def work() -> None:
        store = Failing()
        async with behind(store) as writer:
            for number in range(READ_LIMIT + 1):
                await store.write([Put("a", f"{number:05d}", b"{}")])
            assert len(await writer.read("a")) == READ_LIMIT + 1

    run_virtually(work())


def test_who_settles_waits_for_what_is_written_then_and_not_for_ever() -> None:
    async def work() -> None:
        store = Failing()
        async with behind(store) as writer:
            await writer.settle(5)
            writer.write([Put("a", "x", b"{}")])
            await writer.settle(5)
            assert await store.get("a", "x")
            store.away = True
            writer.write([Put("a", "y", b"{}")])
            began = now()
            await writer.settle(5)
            assert now() - began == 5

    run_virtually(work())


def test_who_keeps_no_copies_reads_the_store_with_what_waits_and_nothing_while_it_is_away() -> None:
    async def work() -> None:
        store = Failing()
        await store.write([Put("a", "of-another", b"{}")])
        writer = WriteBehind(store, VirtualClock(), random.Random(1), keep=0.0)
        writer.write([Put("a", "mine", b"{}")])
        assert sorted(await writer.read("a")) == ["mine", "of-another"]
        store.away = True
        assert (await writer.read("a"), writer.unread, writer.waiting) == ({}, "nobody answers", 1)

    run_virtually(work())


def test_a_read_lacks_nothing_that_was_written_while_it_was_under_way() -> None:
    async def work() -> None:
        store = Failing()
        store.slow = 1.0
        async with behind(store) as writer:
            writer.write([Put("a", "before", b"{}"), Put("a", "gone", b"{}")])
            reading = asyncio.create_task(writer.read("a"))
            await asyncio.sleep(0.5)
            writer.write([Put("a", "during", b"{}"), Delete("a", "gone")])
            assert sorted(await reading) == ["before", "during"]

    run_virtually(work())
