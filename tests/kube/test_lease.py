"""A Lease that only one holds, against the API double."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kubesonar.kube.client import Client
from kubesonar.kube.lease import LeaseKeeper
from kubesonar.kube.resource import leases
from tests.clocks import TurnedClock
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import client_of, run
from tests.waiting import until

PATH = leases("default")


class Holder:
    """A keeper of the lease "told", and what it was told."""

    def __init__(self, client: Client, name: str) -> None:
        self.clock = TurnedClock()
        self.said: list[bool | None] = []
        self.keeper = LeaseKeeper(
            client, PATH, "told", name, self.said.append, duration=1, clock=self.clock, rng=random.Random(1)
        )

    @property
    def last(self) -> bool | None:
        return self.said[-1] if self.said else None


@asynccontextmanager
async def holders(api: ApiServer, folder: Path, *names: str) -> AsyncIterator[list[Holder]]:
    client = client_of(api, folder)
    made = [Holder(client, name) for name in names]
    tasks = [asyncio.create_task(holder.keeper.run()) for holder in made]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        client.close()


def test_one_holds_it_until_it_lets_go_and_then_the_other_does(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with holders(api, tmp_path, "a", "b") as (a, b):
            a.keeper.want(True)
            await until(lambda: a.last)
            b.keeper.want(True)
            await until(lambda: b.said)
            assert b.last is False
            (lease,), _ = api.store.all("leases", lambda tree: True)
            assert lease["spec"]["holderIdentity"] == "a"
            a.keeper.want(False)
            await until(lambda: b.last)
            (lease,), _ = api.store.all("leases", lambda tree: True)
            assert (lease["spec"]["holderIdentity"], lease["spec"]["leaseTransitions"]) == ("b", 1)

    with ApiServer() as api:
        run(scenario(api))


def test_of_many_that_want_it_at_once_one_gets_it(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with holders(api, tmp_path, *"abcdef") as made:
            for holder in made:
                holder.keeper.want(True)
            await until(lambda: all(holder.said for holder in made))
            assert [holder.last for holder in made].count(True) == 1

    with ApiServer() as api:
        run(scenario(api))


def test_what_a_dead_holder_left_is_taken_once_it_has_run_out_by_our_own_clock(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with holders(api, tmp_path, "a"):
            pass
        async with holders(api, tmp_path, "dead") as (dead,):
            dead.keeper.want(True)
            await until(lambda: dead.last)
        async with holders(api, tmp_path, "b") as (b,):
            b.keeper.want(True)
            await until(lambda: b.said)
            assert b.said == [False]
            b.clock.ahead = 1.1
            await until(lambda: b.last)

    with ApiServer() as api:
        run(scenario(api))


def test_without_an_answer_or_the_right_nobody_can_say_whose_it_is(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with holders(api, tmp_path, "a") as (a,):
            a.keeper.want(True)
            await until(lambda: a.last)
            api.refuse("get", "leases")
            await until(lambda: a.last is None)
            api.allow("get", "leases")
            await until(lambda: a.last)
        assert a.said == [True, None, True]

    with ApiServer() as api:
        run(scenario(api))


def test_nobody_can_take_it_for_an_hour_by_saying_so(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with holders(api, tmp_path, "a") as (a,):
            a.keeper.want(True)
            await until(lambda: a.said)
            a.clock.ahead = 9.0
            asked = len(api.asked("get"))
            await until(lambda: len(api.asked("get")) > asked + 1)
            assert a.said == [False]
            a.clock.ahead = 10.1
            await until(lambda: a.last)

    with ApiServer() as api:
        api.put("leases", shapes.lease("told", "somebody", seconds=3600))
        run(scenario(api))
