import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from kubesonar.apps.collector.keeping import KIND, IncidentKeeper
from kubesonar.apps.collector.replicas.wire import Position, Records
from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeRecord
from kubesonar.core.encoding import encode_json
from kubesonar.model import Condition, Finding, Notice
from kubesonar.net.clock import SystemClock
from kubesonar.stores.memory import MemoryStore
from kubesonar.stores.store import READ_LIMIT, VALUE_LIMIT, Change, Guard, Put, StoredRecord, StoreUnavailable
from kubesonar.stores.write_behind import PENDING_BYTES, WriteBehind
from tests.virtual_time import run_virtually

RECORD = IncidentRecord(1, "00ff", Finding("node", "a", "dead", 1.0, 0.9, "a is dead"), 1.0, 2.0, 3.0)


class Away:
    """A store that cannot be used for the first so many requests."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.kept = MemoryStore(1 << 20, SystemClock())

    def _ask(self) -> None:
        self.times -= 1
        if self.times >= 0:
            raise StoreUnavailable("the disk is full")

    async def write(self, changes: Sequence[Change], guard: Guard | None = None) -> bool:
        self._ask()
        return await self.kept.write(changes, guard)

    async def get(self, kind: str, name: str) -> bytes | None:
        return await self.kept.get(kind, name)

    async def read(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int = READ_LIMIT
    ) -> list[StoredRecord]:
        self._ask()
        return await self.kept.read(kind, prefix=prefix, after=after, limit=limit)

    async def close(self) -> None:
        await self.kept.close()


@asynccontextmanager
async def keeping(store: Away) -> AsyncIterator[tuple[IncidentKeeper, WriteBehind]]:
    """A keeper, and its writer that runs."""
    writer = WriteBehind(store, SystemClock(), random.Random(1), keep=0.0)
    running = asyncio.create_task(writer.run())
    try:
        yield IncidentKeeper(writer, 3600), writer
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def loaded(store: Away) -> IncidentKeeper:
    return IncidentKeeper(WriteBehind(store, SystemClock(), random.Random(1), keep=0.0), 3600)


def test_what_is_kept_is_loaded_by_a_successor_the_latest_of_each_incident() -> None:
    async def work() -> Records:
        store = Away(0)
        async with keeping(store) as (keeper, writer):
            keeper.keep(Records((RECORD,)))
            keeper.keep(Records((msgspec.structs.replace(RECORD, closed=9.0),)))
            assert keeper.trouble == "the latest incidents are being written"
            await writer.settle(5)
            assert keeper.trouble == ""
        return await loaded(store).load()

    assert run_virtually(work()) == Records((msgspec.structs.replace(RECORD, closed=9.0),))


def test_while_the_store_is_away_records_wait_and_are_written_once_it_is_back() -> None:
    async def work() -> None:
        store = Away(6)
        async with keeping(store) as (keeper, writer):
            keeper.keep(Records((RECORD,)))
            await asyncio.sleep(1)
            assert keeper.trouble == "the disk is full; incidents are held in memory only"
            assert keeper.waiting == 1
            await writer.settle(30)
            assert (keeper.trouble, keeper.waiting, keeper.dropped) == ("", 0, 0)
            assert await store.kept.get(KIND, "00ff") is not None

    run_virtually(work())


def test_a_store_that_is_away_at_the_start_is_waited_for_and_said_meanwhile() -> None:
    async def work() -> None:
        keeper = loaded(Away(5))
        loading = asyncio.create_task(keeper.load())
        await asyncio.sleep(1)
        assert keeper.trouble == "the disk is full; incidents are held in memory only"
        assert await loading == Records()
        assert keeper.trouble == ""

    run_virtually(work())


def test_records_that_wait_are_bounded_and_those_that_are_dropped_are_counted() -> None:
    async def work() -> None:
        keeper = loaded(Away(1_000_000))
        long = msgspec.structs.replace(RECORD.finding, sentence="x" * (200 << 10))
        records = [msgspec.structs.replace(RECORD, id=f"{number:x}", finding=long) for number in range(200)]
        keeper.keep(Records(tuple(records)))
        assert keeper.waiting + keeper.dropped == 200
        assert keeper.waiting == PENDING_BYTES // len(encode_json(records[0]))

    run_virtually(work())


def test_a_record_that_no_store_takes_is_counted_and_takes_no_other_with_it() -> None:
    async def work() -> None:
        store = Away(0)
        large = msgspec.structs.replace(RECORD.finding, sentence="x" * VALUE_LIMIT)
        async with keeping(store) as (keeper, writer):
            keeper.keep(Records((msgspec.structs.replace(RECORD, id="aa", finding=large), RECORD)))
            await writer.settle(5)
            assert keeper.dropped == 1
        assert await loaded(store).load() == Records((RECORD,))

    run_virtually(work())


def test_notices_are_kept_beside_incidents_and_what_is_gone_is_removed_with_its_position() -> None:
    notice = NoticeRecord(1, Notice("n1", Condition.OPENED, "a", 2.0, "a is dead", incident="00ff"))

    async def work() -> tuple[Records, Records, Position]:
        store = Away(0)
        async with keeping(store) as (keeper, writer):
            keeper.keep(Records((RECORD,), (notice,)), position=Position(3, 7))
            await writer.settle(5)
            before = await loaded(store).load()
            keeper.keep(Records(), (["00ff"], ["n1"]), Position(4, 0))
            await writer.settle(5)
        return before, await loaded(store).load(), await loaded(store).position()

    assert run_virtually(work()) == (Records((RECORD,), (notice,)), Records(), Position(4, 0))


def test_what_cannot_be_read_or_is_of_another_version_is_passed_over() -> None:
    async def work() -> Records:
        store = Away(0)
        await store.write(
            [Put(KIND, "a", b"{}"), Put(KIND, "b", msgspec.json.encode(RECORD).replace(b":1,", b":9,", 1))]
        )
        return await loaded(store).load()

    assert run_virtually(work()) == Records()
