"""A leader and its followers over real sockets: what is held where, who is told to be away, and who is believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from math import inf
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from kubesonar.apps.collector.replicas.follower import Follower
from kubesonar.apps.collector.replicas.leadership import Alone, ReplicaLeadership
from kubesonar.apps.collector.replicas.options import ReplicaOptions
from kubesonar.apps.collector.replicas.peers import ReplicaPeers
from kubesonar.apps.collector.replicas.wire import COPY_PATH, REPLICA_PATH, Position
from kubesonar.net.clock import SystemClock
from kubesonar.web import Anonymous, BearerToken, Listener, ListenOptions, Route, Router, Server
from tests.apps.collector.replicas.test_journal import Holding, record
from tests.kube.running import run
from tests.ports import free_port
from tests.waiting import until


class Node:
    """A replica with its listener; `keeps` tells whether its store does."""

    def __init__(self, name: str, folder: Path, ports: dict[str, int]) -> None:
        self.holding = Holding(name)
        self.keeps = True
        self.peers: ReplicaPeers
        self.leadership = ReplicaLeadership(name, SystemClock(), lambda since: self.peers.promised(since))
        token = folder / f"{name}.token"
        token.write_text("shared\n")
        self.token = token
        options = ReplicaOptions(
            peers=tuple(f"http://127.0.0.1:{port}" for port in ports.values()), token_file=str(token)
        )
        self.peers = ReplicaPeers(options, self.holding.journal, self.leadership, SystemClock())
        follower = Follower(self.holding.journal, self.leadership, BearerToken(str(token)), self._settle, SystemClock())
        routes = {
            REPLICA_PATH: Route(follower.take, "", open=True, method="POST"),
            COPY_PATH: Route(follower.give, "", open=True),
        }
        self.address = f"127.0.0.1:{ports[name]}"
        self._routes = Router(routes, Anonymous())
        self.server = self._server()

    async def _settle(self, patience: float) -> bool:
        return self.keeps

    def _server(self) -> Server:
        return Server([Listener(ListenOptions(address=self.address), self._routes)])

    async def lead(self) -> None:
        """Lead for ever."""

        async def duty(term: int) -> None:
            self.holding.journal.begin(term)
            await asyncio.sleep(inf)

        await self.leadership.run(Alone(self.leadership.name), duty)

    async def back(self) -> None:
        """Listen again."""
        self.server = self._server()
        await self.server.start()


@asynccontextmanager
async def nodes(folder: Path, *names: str) -> AsyncIterator[list[Node]]:
    """These replicas; the first one leads."""
    ports = {name: free_port() for name in names}
    made = [Node(name, folder, ports) for name in names]
    async with AsyncExitStack() as closing:
        for one in made:
            await one.server.start()
            closing.push_async_callback(lambda one=one: one.server.stop(0.0))  # type: ignore[misc]
        tasks = [asyncio.create_task(one.peers.run()) for one in made]
        tasks.append(asyncio.create_task(made[0].lead()))
        await until(made[0].leadership.leads)
        try:
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for one in made:
                one.peers.close()


def scenario(work: Callable[[list[Node]], Awaitable[None]], folder: Path, names: tuple[str, ...] = ("a", "b")) -> None:
    async def inside() -> None:
        async with nodes(folder, *names) as made:
            await work(made)

    run(inside())


def test_followers_hold_what_the_leader_keeps_once_that_is_settled(tmp_path: Path) -> None:
    async def work(made: list[Node]) -> None:
        first, *others = made
        for number in range(3):
            first.holding.decide(record(f"{number}"))
            first.peers.wake()
            await first.peers.settled(10)
            for other in others:
                assert other.holding.all == first.holding.all
        assert first.peers.trouble == ""
        assert [one.leadership.leader for one in made] == ["a", "a", "a"]

    scenario(work, tmp_path, ("a", "b", "c"))


def test_a_follower_that_does_not_answer_is_named_and_gets_all_once_it_is_back(tmp_path: Path) -> None:
    async def work(made: list[Node]) -> None:
        first, second = made
        first.holding.decide(record("a"))
        await first.peers.settled(10)
        await second.server.stop(0.0)
        first.holding.decide(record("b"))
        first.peers.wake()
        await first.peers.settled(10)
        assert first.peers.trouble.startswith("the replica at 127.0.0.1 does not answer (")
        assert set(second.holding.log.records) == {"a"}
        assert not first.peers.promised(first.holding.journal.position.number * inf)
        await second.back()
        await until(lambda: first.peers.trouble == "")
        assert second.holding.all == first.holding.all

    scenario(work, tmp_path)


def test_a_follower_whose_store_keeps_nothing_does_not_count(tmp_path: Path) -> None:
    async def work(made: list[Node]) -> None:
        first, second = made
        second.keeps = False
        first.holding.decide(record("a"))
        await until(lambda: "HTTP status 503" in first.peers.trouble)

    scenario(work, tmp_path)


def test_who_is_alone_among_its_addresses_says_so(tmp_path: Path) -> None:
    async def work(made: list[Node]) -> None:
        (only,) = made
        await until(lambda: only.peers.trouble == "no other replica is known")
        assert not only.peers.promised(0.0)

    scenario(work, tmp_path, ("a",))


def test_a_successor_takes_over_the_copy_of_the_replica_that_holds_most(tmp_path: Path) -> None:
    async def work(made: list[Node]) -> None:
        first, second, _ = made
        first.holding.decide(record("a"))
        await first.peers.settled(10)
        copy = await second.peers.copy(Position())
        assert [one.id for page in copy for one in page.records.incidents] == ["a"]
        assert await second.peers.copy(copy[0].position) == []

    scenario(work, tmp_path, ("a", "b", "c"))


def test_who_shows_another_token_is_neither_believed_nor_told(tmp_path: Path) -> None:
    async def work(made: list[Node]) -> None:
        first, second = made
        first.token.write_text("another\n")
        await until(lambda: "HTTP status 401" in first.peers.trouble)
        assert second.holding.log.records == {}
        assert await first.peers.copy(first.holding.journal.position) == []

    scenario(work, tmp_path)


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"", 400, "this is no push of a replica"),
        (b"[" * 5000, 400, "this is no push of a replica"),
        (b'{"schema":9,"replica":"x","position":{"term":9,"number":0}}', 400, "version mismatch"),
        (b'{"schema":1,"replica":"x","position":{"term":-1,"number":0}}', 400, "term"),
        (b'{"schema":1,"replica":"x","position":{"term":0,"number":0}}', 409, '"refused":true'),
    ],
)
def test_what_is_no_push_of_a_leader_is_refused(tmp_path: Path, body: bytes, status: int, why: str) -> None:
    async def work(made: list[Node]) -> None:
        _, second = made
        await until(lambda: second.leadership.leader == "a")
        asked = Request(f"http://{second.address}{REPLICA_PATH}", body, {"Authorization": "Bearer shared"})
        with pytest.raises(HTTPError) as caught:
            await asyncio.to_thread(urlopen, asked)
        assert caught.value.code == status
        assert why in caught.value.read().decode()

    scenario(work, tmp_path)


def test_pages_of_the_copy_end(tmp_path: Path) -> None:
    async def work(made: list[Node]) -> None:
        first, _ = made
        for page, status in (("1", 404), ("x", 400), ("-1", 200), (str(1 << 63), 404), ("9" * 5000, 400)):
            asked = Request(
                f"http://{first.address}{COPY_PATH}?page={page}", headers={"Authorization": "Bearer shared"}
            )
            try:
                answer = await asyncio.to_thread(urlopen, asked)
            except HTTPError as error:
                answer = error
            with answer:
                assert answer.status == status

    scenario(work, tmp_path)
