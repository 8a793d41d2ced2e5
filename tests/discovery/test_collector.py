"""Members from a collector, over real sockets: it hands out, changes, goes away and comes back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kubesonar.core.encoding import encode_json
from kubesonar.core.probing.cluster_document import CLUSTER_PATH, ClusterDocument, entity_tag
from kubesonar.core.probing.cluster_facts import DnsPod
from kubesonar.discovery.collector import CollectorRoster
from kubesonar.discovery.dns import DnsRoster
from kubesonar.discovery.options import CollectorAccess, DnsRosterOptions, RosterOptions
from kubesonar.model import Member, Network, Roster
from kubesonar.net.clock import SystemClock
from kubesonar.web import Reply, Request, Server
from tests.discovery import nameserver
from tests.ports import free_port
from tests.waiting import until
from tests.web.support import run, serving


def document(*names: str) -> ClusterDocument:
    members = tuple(Member(name, name, ("10.0.0.1",), 7473) for name in names)
    return ClusterDocument(1, Roster("/".join(names), members), (DnsPod("dns", "10.0.0.53"),), complete=True)


class Collector:
    """Hands out what it is told to, at once."""

    def __init__(self) -> None:
        self.port = free_port()
        self.body = encode_json(document("a", "b"))
        self.status = 200
        self.asked: list[Request] = []

    async def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        if self.status != 200:
            return Reply(b"not now", "text/plain", self.status)
        await asyncio.sleep(0.01)  # as one that waits for a change, though not as long
        same = request.first(b"if-none-match").decode() == entity_tag(self.body)
        return Reply(b"", "", 304) if same else Reply(self.body)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Server]:
        async with serving(self, f"127.0.0.1:{self.port}") as server:
            yield server


class Following:
    """An agent that only asks for members."""

    def __init__(self, collector: Collector, folder: Path | None = None, *, dns: bool = False, **access: str) -> None:
        self.rosters: list[Roster] = []
        self.documents: list[ClusterDocument] = []
        self.source = CollectorRoster(
            CollectorAccess((f"http://127.0.0.1:{collector.port}",), **access),
            str(folder) if folder else "",
            self.rosters.append,
            self.documents.append,
            clock=SystemClock(),
            rng=random.Random(1),
            dns=self._dns() if dns else None,
            without_list=0.0,
        )

    def _dns(self) -> DnsRoster:
        options = RosterOptions(dns=DnsRosterOptions(name=nameserver.NAME, poll=0.05))
        return DnsRoster(options, (), Network.POD, 7473, self.rosters.append, rng=random.Random(1))

    @property
    def names(self) -> list[str]:
        """The members of the last roster."""
        return [member.name for member in self.rosters[-1].members] if self.rosters else []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.source.watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.source.close()


def test_members_and_services_come_and_change_and_what_is_known_is_not_sent_again(tmp_path: Path) -> None:
    async def work() -> None:
        collector = Collector()
        (tmp_path / "token").write_text("mine\n")
        agent = Following(collector, token_file=str(tmp_path / "token"))
        async with collector.listening(), agent.running():
            await until(lambda: agent.names == ["a", "b"])
            assert agent.documents[-1].dns_pods == (DnsPod("dns", "10.0.0.53"),)
            await until(lambda: len(collector.asked) > 3)
            assert len(agent.rosters) == 1
            assert collector.asked[-1].header(b"authorization") == "Bearer mine"
            assert (collector.asked[0].path, collector.asked[0].query_string) == (CLUSTER_PATH, b"wait=0")
            assert collector.asked[-1].query_string == b"wait=25"
            collector.body = encode_json(document("a", "c"))
            await until(lambda: agent.names == ["a", "c"])

    run(work)


def test_while_no_collector_answers_the_last_list_stands_and_is_stale() -> None:
    async def work() -> None:
        collector = Collector()
        agent = Following(collector)
        async with collector.listening(), agent.running():
            await until(lambda: agent.names)
            collector.status = 503
            await until(lambda: agent.rosters[-1].stale)
            assert (agent.names, agent.rosters[-1].stale) == (["a", "b"], "collector: HTTP status 503: not now")
            collector.status = 200
            await until(lambda: not agent.rosters[-1].stale)

    run(work)


def test_a_list_of_another_version_leaves_the_last_one_in_force() -> None:
    async def work() -> None:
        collector = Collector()
        agent = Following(collector)
        async with collector.listening(), agent.running():
            await until(lambda: agent.names)
            collector.body = collector.body.replace(b'"schema":1', b'"schema":9')
            await until(lambda: "version mismatch" in agent.rosters[-1].stale)
            assert agent.names == ["a", "b"]

    run(work)


def test_the_last_list_outlives_the_process(tmp_path: Path) -> None:
    async def work() -> None:
        collector = Collector()
        first = Following(collector, tmp_path)
        async with collector.listening(), first.running():
            await until(lambda: first.names)
        second = Following(collector, tmp_path)
        async with second.running():
            await until(lambda: second.names == ["a", "b"])
            assert second.rosters[0].stale == "collector: none has answered yet"
            assert second.documents[0].complete
        (tmp_path / "cluster.json").write_bytes(b"{")
        third = Following(collector, tmp_path)
        async with third.running():
            await until(lambda: third.rosters)
            assert third.names == []

    run(work)


def test_without_a_token_that_can_be_read_nothing_is_asked(tmp_path: Path) -> None:
    async def work() -> None:
        collector = Collector()
        agent = Following(collector, token_file=str(tmp_path / "none"))
        async with collector.listening(), agent.running():
            await until(lambda: agent.rosters)
            assert agent.rosters[-1].stale.startswith("collector: reports.token_file: ")
            assert collector.asked == []

    run(work)


@nameserver.needs_unbound
def test_an_agent_without_any_list_knows_others_by_dns_until_a_collector_answers() -> None:
    async def work() -> None:
        collector = Collector()
        agent = Following(collector, dns=True)
        async with agent.running():
            await until(lambda: agent.names == ["10.0.0.1", "10.0.0.2"])
            assert agent.source.source == "dns"
            assert "(no collector has answered: " in agent.rosters[-1].lacks
            assert not agent.rosters[-1].stale
            async with collector.listening():
                await until(lambda: agent.names == ["a", "b"])
                assert agent.source.source == "collector"
                collector.status = 503
                await until(lambda: agent.rosters[-1].stale)
                assert agent.names == ["a", "b"]

    def body(folder: Path) -> None:
        with nameserver.serving(folder, ["10.0.0.1", "10.0.0.2"]):
            run(work)

    nameserver.resolving(body)


@nameserver.needs_unbound
def test_a_kept_list_goes_before_dns(tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_bytes(encode_json(document("a", "b")))

    async def work() -> None:
        agent = Following(Collector(), tmp_path, dns=True)
        async with agent.running():
            await until(lambda: agent.rosters and "none has answered yet" not in agent.rosters[-1].stale)
            assert (agent.names, agent.source.source) == (["a", "b"], "collector")

    def body(folder: Path) -> None:
        with nameserver.serving(folder, ["10.0.0.1"]):
            run(work)

    nameserver.resolving(body)
