"""One of several replicas leads by a record of the store that they share, in virtual time; another's writes are
refused."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from math import inf

import pytest

from kubesonar.stores.election import LEADER_KIND, FencedStore, StoreElection
from kubesonar.stores.memory import MemoryStore
from kubesonar.stores.store import Change, Guard, Put, StoreRefused, StoreUnavailable
from tests.virtual_time import VirtualClock, run_virtually

DURATION = 5.0
INCIDENT = Put("incident", "a", b"{}")


class Shared(MemoryStore):
    """The store of all; `away` makes it an outage."""

    away = False

    async def write(self, changes: Sequence[Change], guard: Guard | None = None) -> bool:
        if self.away:
            raise StoreUnavailable("it is away")
        return await super().write(changes, guard)


class Candidate:
    """One replica with a clock of its own."""

    def __init__(self, store: Shared, name: str) -> None:
        self.clock = VirtualClock()
        self.held_back = False
        self.election = StoreElection(store, name, lambda: self.held_back, self.clock, random.Random(name), DURATION)
        self.store = FencedStore(store, self.election)
        self.task = asyncio.create_task(self.election.run())

    @property
    def leads(self) -> bool:
        return self.clock.mono() - self.election.renewed < DURATION

    async def stop(self) -> None:
        """As `kill -9` does."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@asynccontextmanager
async def candidates(*names: str) -> AsyncIterator[tuple[Shared, list[Candidate]]]:
    store = Shared(1 << 20, VirtualClock())
    made = [Candidate(store, name) for name in names]
    try:
        yield store, made
    finally:
        for one in made:
            await one.stop()


def test_one_leads_and_goes_on_to() -> None:
    async def work() -> None:
        async with candidates("a", "b", "c") as (_, made):
            await asyncio.sleep(1)
            (leader,) = [one for one in made if one.leads]
            for _ in range(100):
                await asyncio.sleep(1)
                assert [one for one in made if one.leads] == [leader]
            assert {one.election.current for one in made} == {leader.election.current}
            assert {one.election.term for one in made} == {1}

    run_virtually(work())


def test_the_successor_of_one_that_was_killed_leads_within_ten_seconds_in_the_next_term() -> None:
    async def work() -> None:
        async with candidates("a") as (store, (first,)):
            await asyncio.sleep(1)
            second = Candidate(store, "b")
            await asyncio.sleep(7)
            await first.stop()
            await asyncio.sleep(DURATION - 2)
            assert not second.leads
            await asyncio.sleep(5)
            assert (second.leads, second.election.term) == (True, 2)
            await second.stop()

    run_virtually(work())


def test_who_holds_back_takes_nobodys_place() -> None:
    async def work() -> None:
        async with candidates("a") as (store, (first,)):
            await asyncio.sleep(1)
            second = Candidate(store, "b")
            second.held_back = True
            await first.stop()
            await asyncio.sleep(10 * DURATION)
            assert not second.leads
            second.held_back = False
            await asyncio.sleep(DURATION)
            assert second.leads
            await second.stop()

    run_virtually(work())


def test_who_was_frozen_and_replaced_writes_nothing_more() -> None:
    async def work() -> None:
        async with candidates("a") as (store, (first,)):
            await asyncio.sleep(1)
            assert await first.store.write([INCIDENT])
            second = Candidate(store, "b")
            await first.stop()  # its loop stands still
            await asyncio.sleep(10)
            assert second.leads
            with pytest.raises(StoreUnavailable, match="another replica leads"):
                await first.store.write([Put("incident", "b", b"{}")])
            assert [one.name for one in await store.read("incident")] == ["a"]
            assert await second.store.write([Put("incident", "c", b"{}")])
            await second.stop()

    run_virtually(work())


def test_who_never_led_writes_nothing_and_reads_everything() -> None:
    async def work() -> None:
        async with candidates("a") as (store, (first,)):
            await asyncio.sleep(1)
            await first.store.write([INCIDENT])
            second = Candidate(store, "b")
            await asyncio.sleep(1)
            with pytest.raises(StoreUnavailable):
                await second.store.write([Put("incident", "b", b"{}")])
            assert await second.store.get("incident", "a") == b"{}"
            assert [one.name for one in await second.store.read("incident")] == ["a"]
            with pytest.raises(StoreRefused):
                await first.store.write([INCIDENT], Guard("incident", "a"))
            await second.stop()

    run_virtually(work())


def test_who_releases_is_followed_at_once() -> None:
    async def work() -> None:
        async with candidates("a") as (store, (first,)):
            await asyncio.sleep(1)
            second = Candidate(store, "b")
            await asyncio.sleep(3)
            await first.stop()
            await first.election.release()
            assert first.election.renewed == -inf
            await asyncio.sleep(DURATION / 3)
            assert (second.leads, second.election.term) == (True, 2)
            await second.stop()

    run_virtually(work())


def test_in_an_outage_of_the_store_nobody_is_renewed_and_afterwards_the_leader_goes_on() -> None:
    async def work() -> None:
        async with candidates("a", "b") as (store, made):
            await asyncio.sleep(1)
            (leader,) = [one for one in made if one.leads]
            store.away = True
            await asyncio.sleep(2 * DURATION)
            assert not any(one.leads for one in made)
            store.away = False
            await asyncio.sleep(3)
            assert len([one for one in made if one.leads]) == 1
            assert leader.election.term <= 2

    run_virtually(work())


def test_a_record_that_cannot_be_read_names_nobody() -> None:
    async def work() -> None:
        store = Shared(1 << 20, VirtualClock())
        await store.write([Put(LEADER_KIND, "holder", b'{"holder":7}'), Put(LEADER_KIND, "beat", b"[]")])
        one = Candidate(store, "a")
        await asyncio.sleep(1)
        assert one.leads
        await one.stop()

    run_virtually(work())
