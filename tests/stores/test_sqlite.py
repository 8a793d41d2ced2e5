"""The store in a file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kubesonar.net.clock import Clock, SystemClock
from kubesonar.stores.record_file import STORE_FILE
from kubesonar.stores.sqlite import SqliteStore
from kubesonar.stores.store import Put, Store, StoreRefused, StoreUnavailable
from tests.clocks import TurnedClock
from tests.full_disk import largest, no_file_larger_than
from tests.stores.conformance import Conformance, names

ROOT = Path(__file__).parents[2]


class TestSqlite(Conformance):
    clock = TurnedClock()

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Store]:
        async with stored(folder, clock=self.clock) as store:
            yield store

    async def let_pass(self, seconds: float) -> None:
        self.clock.ahead += seconds


@asynccontextmanager
async def stored(folder: Path, limit: int = 64 << 20, clock: Clock | None = None) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(str(folder), limit, clock or SystemClock())
    try:
        yield store
    finally:
        await store.close()


def use(folder: Path, work: Callable[[SqliteStore], Awaitable[None]], limit: int = 64 << 20) -> None:
    async def used() -> None:
        async with stored(folder, limit) as store:
            await work(store)

    asyncio.run(used())


async def put(store: SqliteStore, name: str, size: int = 2) -> bool:
    return await store.write([Put("a", name, bytes(size))])


def test_what_was_written_is_there_after_a_restart_but_for_what_expired_meanwhile(tmp_path: Path) -> None:
    async def work() -> None:
        clock = TurnedClock()
        async with stored(tmp_path, clock=clock) as store:
            await store.write([Put("a", "kept", b"{}"), Put("a", "short", b"{}", 5), Put("a", "long", b"{}", 3600)])
        clock.ahead += 10
        async with stored(tmp_path, clock=clock) as store:
            assert await names(store, "a") == ["kept", "long"]

    asyncio.run(work())


def test_writers_that_are_killed_lose_nothing_acknowledged_and_leave_the_file_whole(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.stores.killing", str(tmp_path), "50"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("50 writers killed"), done.stderr


def test_writes_at_the_same_time_are_synced_together(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        done = await asyncio.gather(*(put(store, f"n-{number}") for number in range(500)))
        assert all(done)
        assert len(await store.read("a")) == 500

    use(tmp_path, work)


def test_a_disk_that_hangs_does_not_fill_the_memory(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        done = await asyncio.gather(*(put(store, f"n-{number}") for number in range(1100)), return_exceptions=True)
        refused = [one for one in done if isinstance(one, StoreUnavailable)]
        assert done.count(True) + len(refused) == 1100
        assert str(refused[0]) == "1000 writes wait for the disk already"

    use(tmp_path, work)


def test_what_would_be_gone_first_makes_room_and_what_has_no_end_never_does(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        await store.write([Put("a", "for-ever", b"1234"), Put("a", "soon", b"12", 60), Put("a", "late", b"1234", 90)])
        await store.write([Put("a", "new", b"1")])
        assert await names(store, "a") == ["for-ever", "late", "new"]
        await store.write([Put("a", "late", b"12345", 10)])
        with pytest.raises(StoreRefused, match="full"):
            await put(store, "more", 7)
        assert await names(store, "a") == ["for-ever", "late", "new"]
        assert store.dropped == 1

    use(tmp_path, work, limit=10)


def test_a_full_disk_is_an_outage_and_over_once_there_is_room(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        await put(store, "before")
        with no_file_larger_than(largest(tmp_path)):
            for name in ("during", "again"):
                with pytest.raises(StoreUnavailable):
                    await put(store, name, 100_000)
            assert await names(store, "a") == ["before"]
        await put(store, "after", 100_000)
        assert await names(store, "a") == ["after", "before"]

    use(tmp_path, work)


def test_without_its_directory_it_is_unavailable_until_there_is_one(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        with pytest.raises(StoreUnavailable, match="cannot be opened: No such file"):
            await put(store, "a")
        (tmp_path / "later").mkdir()
        assert await put(store, "a")

    use(tmp_path / "later", work)


def test_two_processes_do_not_share_a_file(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        await put(store, "a")
        async with stored(tmp_path) as other:
            with pytest.raises(StoreUnavailable, match="locked"):
                await put(other, "a")

    use(tmp_path, work)


@pytest.mark.parametrize("harm", ["garbage", "cut", "version", "table"])
def test_a_file_that_is_no_good_is_set_aside_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: str
) -> None:
    async def work(store: SqliteStore) -> None:
        await put(store, "old")

    async def after(store: SqliteStore) -> None:
        with pytest.raises(StoreUnavailable):
            await put(store, "new")
        await put(store, "new")
        assert await names(store, "a") == ["new"]

    use(tmp_path, work)
    path = tmp_path / STORE_FILE
    if harm == "garbage":
        path.write_bytes(os.urandom(8192))
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:4096])
    else:
        base = sqlite3.connect(path)
        base.executescript(
            "PRAGMA user_version = 9" if harm == "version" else "DROP TABLE records; CREATE TABLE records (x)"
        )
        base.close()
    use(tmp_path, after)
    assert (tmp_path / f"{STORE_FILE}.unreadable").exists()
    assert "it was set aside as" in caplog.text
