"""Two collectors as processes, with SQLite each and a Lease, or with one etcd: killed, frozen, and started again."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from kubesonar.apps.collector.keeping import IncidentKeeper
from kubesonar.apps.collector.options import CollectorOptions, CollectorStoreOptions, StoreKind
from kubesonar.apps.collector.replica import Replica
from kubesonar.apps.collector.replicas.options import ReplicaOptions
from kubesonar.apps.collector.replicas.wire import Position, Records
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog
from kubesonar.net.clock import SystemClock
from kubesonar.runtime.supervise import Supervisor
from kubesonar.stores.sqlite import SqliteStore
from kubesonar.stores.write_behind import WriteBehind
from tests.apps.agents import RunningAgent, RunningCollector, members, tree, until
from tests.apps.pager import Pager
from tests.kube.apiserver import ApiServer
from tests.kube.running import run
from tests.ports import free_port
from tests.stores.etcds import EtcdMembers
from tests.waiting import until as seen

CLOCK = SystemClock()

LATE = 90.0
"""Seconds for what takes 10 on a machine that is not busy."""


async def for_ever() -> None:
    """The duty of a leader that has nothing to tell."""
    await asyncio.Event().wait()


class Pair:
    """Collectors "one" and "two", and agent a, of whose two peers b is not there at first."""

    def __init__(self, folder: Path, store: dict[str, Any], lease: dict[str, Any], pager: Pager) -> None:
        self.pager = pager
        self.ports = {name: free_port() for name in ("one", "two")}
        self._folder = folder
        self._store = store
        self._lease = lease
        (folder / "secret").write_text("shared\n")
        agents = {"a": free_port(), "b": free_port()}
        roster = members(folder, agents)
        reports = {"to": [f"http://127.0.0.1:{port}" for port in self.ports.values()], "timeout": 1.0}
        self._trees = {
            name: tree(name, port, roster, reports=reports, membership={"enabled": False})
            for name, port in agents.items()
        }

    def collector(self, name: str) -> RunningCollector:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        return RunningCollector(
            folder,
            self.ports[name],
            reports={"auth": "none"},
            cluster="prod",
            notify={
                "receivers": [{"name": "pager", "url": self.pager.url}],
                "delivery": {"first": 0.1, "longest": 1.0},
            },
            agents={"interval": 0.5},
            store=self._store if self._store["kind"] == "etcd" else {**self._store, "directory": str(folder)},
            replicas={
                "name": name,
                "peers": [f"http://127.0.0.1:{port}" for port in self.ports.values()],
                "token_file": str(self._folder / "secret"),
                **self._lease,
            },
        )

    def agent(self, name: str) -> RunningAgent:
        return RunningAgent(self._folder, name, **self._trees[name])


def leader(of: RunningCollector) -> str:
    return str((of.document("/api/v1/verdict") or {}).get("leader", ""))


def durable(of: RunningCollector) -> bool:
    return bool((of.document("/api/v1/verdict") or {}).get("durable") == "")


def incidents(of: RunningCollector) -> dict[str, list[str]]:
    """What became of each incident, by its id."""
    page = of.document("/api/v1/incidents") or {}
    return {one["id"]: [change["became"] for change in one["changes"]] for one in page.get("incidents", [])}


def succeed(pair: Pair, *, killed: bool) -> None:
    """The leader is killed and started again, or frozen and continued."""
    with ExitStack() as closing:
        both = {name: closing.enter_context(pair.collector(name)) for name in pair.ports}
        closing.enter_context(pair.agent("a"))
        first = until(lambda: leader(both["one"]) or leader(both["two"]), LATE)
        second = next(name for name in pair.ports if name != first)
        opened = until(lambda: incidents(both[first]) if durable(both[first]) else {}, LATE)
        news = ["incident.opened b"]
        if killed:
            pair.pager.away = True
        else:
            until(lambda: pair.pager.events == news, LATE)
        until(lambda: incidents(both[second]) == opened, LATE)
        assert leader(both[second]) == first

        os.kill(both[first].process.pid, signal.SIGKILL if killed else signal.SIGSTOP)
        until(lambda: leader(both[second]) == second, LATE)
        assert incidents(both[second]) == opened
        pair.pager.away = False
        until(lambda: pair.pager.events == news, LATE)
        closing.enter_context(pair.agent("b"))
        closed = {id: [*became, "closed"] for id, became in opened.items()}
        until(lambda: incidents(both[second]) == closed, LATE)
        news += ["incident.closed b"]
        until(lambda: pair.pager.events == news, LATE)
        if killed:
            both[first].process.wait(30)
            both[first] = closing.enter_context(pair.collector(first))
        else:
            os.kill(both[first].process.pid, signal.SIGCONT)
        until(lambda: (leader(both[first]), incidents(both[first])) == (second, closed), LATE)
        until(lambda: durable(both[second]), LATE)
        assert (leader(both[second]), incidents(both[second])) == (second, closed)
        assert pair.pager.events == news
        assert until(lambda: [*delivered(both[first])] == [*delivered(both[second])] == [*pair.pager.told], LATE)


def delivered(of: RunningCollector) -> list[str]:
    """The ids of the notices that were delivered, the oldest first."""
    page = of.document("/api/v1/notices?delivered=true") or {}
    return [one["notice"]["id"] for one in reversed(page.get("notices", []))]


@contextmanager
def with_sqlite(folder: Path) -> Iterator[Pair]:
    """Each has a file of its own, and a Lease elects."""
    with ApiServer() as api, Pager() as pager:
        lease = {"lease": "collector", "kubeconfig": str(api.kubeconfig(folder / "config"))}
        yield Pair(folder, {"kind": "sqlite"}, lease, pager)


@contextmanager
def with_etcd(folder: Path) -> Iterator[Pair]:
    """Both write to one etcd, in which a record elects."""
    etcd = EtcdMembers(folder)
    try:
        etcd.start()
        with Pager() as pager:
            yield Pair(folder, {"kind": "etcd", "etcd": {"endpoints": list(etcd.endpoints)}}, {}, pager)
    finally:
        etcd.stop()


def test_terms_go_on_where_the_store_ended_also_after_the_lease_was_deleted(tmp_path: Path) -> None:
    async def kept(put: Position | None = None) -> Position:
        """The position in the store, after that was put there."""
        store = SqliteStore(str(tmp_path), 1 << 20, CLOCK)
        writer = WriteBehind(store, CLOCK, random.Random(1), keep=0.0)
        writing = asyncio.create_task(writer.run())
        keeper = IncidentKeeper(writer, 3600.0)
        if put is not None:
            keeper.keep(Records(), position=put)
            assert await writer.settle(30.0)
        found = await keeper.position()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await store.close()
        return found

    async def work(api: ApiServer) -> None:
        assert await kept(Position(7, 5)) == Position(7, 5)
        (tmp_path / "secret").write_text("shared\n")
        options = CollectorOptions(
            store=CollectorStoreOptions(kind=StoreKind.SQLITE, directory=str(tmp_path)),
            replicas=ReplicaOptions(
                name="one",
                peers=(f"http://127.0.0.1:{free_port()}",),
                token_file=str(tmp_path / "secret"),
                lease="collector",
                kubeconfig=str(api.kubeconfig(tmp_path / "config")),
            ),
        )
        async with AsyncExitStack() as closing:
            supervisor = Supervisor()
            replica = Replica(options, IncidentLog(), {}, CLOCK, closing)
            closing.push_async_callback(supervisor.stop)
            replica.start(supervisor, closing, for_ever)
            await seen(replica.decides)
        assert await kept() > Position(7, 5)

    with ApiServer() as api:
        run(work(api))


def test_who_was_killed_is_followed_by_one_with_the_same_incidents_and_gets_a_copy(tmp_path: Path) -> None:
    with with_sqlite(tmp_path) as pair:
        succeed(pair, killed=True)


@pytest.mark.long
def test_who_was_frozen_writes_nothing_more_and_follows(tmp_path: Path) -> None:
    with with_etcd(tmp_path) as pair:
        succeed(pair, killed=False)


@pytest.mark.long
@pytest.mark.parametrize(("store", "killed"), [(with_sqlite, False), (with_etcd, True)])
def test_so_it_is_with_each_store(
    store: Callable[[Path], AbstractContextManager[Pair]], killed: bool, tmp_path: Path
) -> None:
    with store(tmp_path) as pair:
        succeed(pair, killed=killed)
