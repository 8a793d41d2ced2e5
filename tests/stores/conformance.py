"""What every store does: a class of tests from which each store's test file derives one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from kubesonar.stores.store import CHANGES_LIMIT, READ_LIMIT, VALUE_LIMIT, Delete, Guard, Put, Store, StoreRefused


class Conformance:
    """Derive from it, and say how to open the store, empty, and how to let time pass."""

    def opened(self, folder: Path) -> AbstractAsyncContextManager[Store]:
        raise NotImplementedError

    async def let_pass(self, seconds: float) -> None:
        raise NotImplementedError

    def use(self, folder: Path, work: Callable[[Store], Awaitable[None]]) -> None:
        async def used() -> None:
            async with self.opened(folder) as store:
                await work(store)

        asyncio.run(used())

    def test_what_was_put_is_read_until_it_is_deleted(self, tmp_path: Path) -> None:
        async def work(store: Store) -> None:
            assert await store.get("incidents", "a.1") is None
            assert await store.write([Put("incidents", "a.1", b'{"a":1}'), Put("incidents", "b-2", b'{"b":2}')])
            assert await store.write([Put("incidents", "a.1", b'{"a":3}')])
            assert await store.get("incidents", "a.1") == b'{"a":3}'
            assert await store.get("counters", "a.1") is None
            assert await store.write([Delete("incidents", "a.1"), Delete("incidents", "never")])
            assert await names(store, "incidents") == ["b-2"]

        self.use(tmp_path, work)

    def test_records_are_read_in_the_order_of_their_names_page_by_page(self, tmp_path: Path) -> None:
        async def work(store: Store) -> None:
            wanted = ["a", "a-1", "a.1", "a.2", "b", "ba"]
            await store.write([Put("incidents", name, b"{}") for name in reversed(wanted)])
            await store.write([Put("incident", "x", b"{}"), Put("incidentsx", "y", b"{}")])
            assert await names(store, "incidents") == wanted
            assert [it.name for it in await store.read("incidents", limit=2)] == wanted[:2]
            assert [it.name for it in await store.read("incidents", after="a-1", limit=2)] == wanted[2:4]
            assert [it.name for it in await store.read("incidents", prefix="a.", limit=1)] == ["a.1"]
            assert [it.name for it in await store.read("incidents", prefix="a.", after="a.1")] == ["a.2"]
            assert await store.read("incidents", prefix="c") == []

        self.use(tmp_path, work)

    def test_a_write_is_done_only_while_its_guard_holds(self, tmp_path: Path) -> None:
        async def work(store: Store) -> None:
            mine, theirs = Put("locks", "leader", b'{"holder":"a"}'), Put("locks", "leader", b'{"holder":"b"}')
            assert await store.write([mine], Guard("locks", "leader"))
            assert not await store.write([theirs], Guard("locks", "leader"))
            assert not await store.write([Put("incidents", "x", b"{}")], Guard("locks", "leader", theirs.value))
            assert await store.get("incidents", "x") is None
            assert await store.write([theirs], Guard("locks", "leader", mine.value))
            assert await store.get("locks", "leader") == theirs.value
            assert await store.write([Delete("locks", "leader")], Guard("locks", "leader", theirs.value))
            assert await store.get("locks", "leader") is None

        self.use(tmp_path, work)

    def test_of_many_that_would_take_a_lock_at_once_one_does(self, tmp_path: Path) -> None:
        async def work(store: Store) -> None:
            tries = [
                store.write([Put("locks", "leader", b'{"n":%d}' % n)], Guard("locks", "leader")) for n in range(10)
            ]
            assert sum(await asyncio.gather(*tries)) == 1

        self.use(tmp_path, work)

    def test_of_two_changes_of_one_record_the_later_counts(self, tmp_path: Path) -> None:
        async def work(store: Store) -> None:
            await store.write([Put("counters", "a", b'{"a":1}'), Put("counters", "a", b'{"a":2}')])
            assert await store.get("counters", "a") == b'{"a":2}'
            await store.write([Put("counters", "a", b'{"a":3}'), Delete("counters", "a")])
            assert await store.get("counters", "a") is None

        self.use(tmp_path, work)

    def test_a_record_is_gone_after_its_time_to_live_which_each_put_begins_anew(self, tmp_path: Path) -> None:
        async def work(store: Store) -> None:
            await store.write([Put("agents", "short", b"{}", 1.0), Put("agents", "long", b"{}", 60.0)])
            await store.write([Put("agents", "renewed", b"{}", 1.0), Put("agents", "kept", b"{}", 1.0)])
            await store.write([Put("agents", "renewed", b'{"n":2}', 60.0), Put("agents", "kept", b"{}")])
            assert await names(store, "agents") == ["kept", "long", "renewed", "short"]
            await self.let_pass(4.0)
            assert await names(store, "agents") == ["kept", "long", "renewed"]
            assert await store.get("agents", "short") is None
            assert await store.write([Put("agents", "short", b"{}", 60.0)], Guard("agents", "short"))

        self.use(tmp_path, work)

    def test_a_write_as_large_as_may_be_is_taken(self, tmp_path: Path) -> None:
        async def work(store: Store) -> None:
            value = b'{"text":"' + bytes([120]) * (VALUE_LIMIT - 11) + b'"}'
            await store.write([Put("incidents", f"large-{n}", value) for n in range(4)])
            assert [it.value for it in await store.read("incidents")] == [value] * 4
            await store.write([Put("agents", f"{n:03d}", b"{}", 60.0) for n in range(CHANGES_LIMIT)])
            assert len(await store.read("agents")) == CHANGES_LIMIT

        self.use(tmp_path, work)

    @pytest.mark.parametrize(
        "put",
        [
            Put("Incidents", "a", b"{}"),
            Put("", "a", b"{}"),
            Put("incidents/x", "a", b"{}"),
            Put("incidents", "", b"{}"),
            Put("incidents", "a/b", b"{}"),
            Put("incidents", "a\n", b"{}"),
            Put("incidents", "ä", b"{}"),
            Put("incidents", "a" * 254, b"{}"),
            Put("incidents", "a", bytes(VALUE_LIMIT + 1)),
            Put("incidents", "a", b"{}", 0.5),
            Put("incidents", "a", b"{}", float("nan")),
            Put("incidents", "a", b"{}", float("inf")),
        ],
        ids=lambda put: f"{put.kind[:12]}-{len(put.name)}-{len(put.value)}-{put.time_to_live}",
    )
    def test_a_record_that_no_store_takes_is_refused_with_all_of_its_write(self, tmp_path: Path, put: Put) -> None:
        async def work(store: Store) -> None:
            with pytest.raises(StoreRefused):
                await store.write([Put("incidents", "good", b"{}"), put])
            assert await store.get("incidents", "good") is None

        self.use(tmp_path, work)

    def test_what_is_outside_the_limits_is_refused(self, tmp_path: Path) -> None:
        async def work(store: Store) -> None:
            large = Put("incidents", "a", bytes(VALUE_LIMIT))
            for refused in (
                store.write([Delete("incidents", "a")] * (CHANGES_LIMIT + 1)),
                store.write([large] * 5),
                store.write([], Guard("locks", "not this")),
                store.get("locks", "not this"),
                store.read("locks", prefix="not this"),
                store.read("locks", limit=READ_LIMIT + 1),
                store.read("locks", limit=0),
            ):
                with pytest.raises(StoreRefused):
                    await refused

        self.use(tmp_path, work)


async def names(store: Store, kind: str) -> list[str]:
    return [record.name for record in await store.read(kind)]
