"""Kubernetes as long as that goes well, else DNS: both real."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from kubesonar.discovery.dns import DnsRoster
from kubesonar.discovery.fallback import FallbackRoster
from kubesonar.discovery.kubernetes import KubernetesRoster
from kubesonar.discovery.options import DnsRosterOptions, KubernetesOptions, RosterOptions
from kubesonar.model import Network, State
from tests.discovery.following import Rosters
from tests.discovery.nameserver import NAME, needs_unbound, resolving, serving
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import QUICK, client_of, run
from tests.waiting import until

LIMIT = 3
SERVING = State.SERVING
pytestmark = needs_unbound

Scenario = Callable[[ApiServer, Rosters, FallbackRoster], Coroutine[Any, Any, None]]


def reserved(scenario: Scenario, members: int, addresses: int, *refused: str) -> None:
    """Runs it with so many pods, and so many addresses in DNS."""

    async def follow(api: ApiServer, folder: Path) -> None:
        client, rosters, rng = client_of(api, folder), Rosters(), random.Random(1)
        options = RosterOptions(
            kubernetes=KubernetesOptions(direct_limit=LIMIT, settle=0.05), dns=DnsRosterOptions(name=NAME, poll=0.05)
        )
        dns = DnsRoster(options, (), Network.POD, 7473, rosters.append, rng=rng)
        kubernetes = KubernetesRoster(client, options, 0, rosters.append, rng=rng, reflector=QUICK)
        source = FallbackRoster(kubernetes, dns, LIMIT, rng=rng, way_back=0.1)
        task = asyncio.create_task(source.watch())
        await scenario(api, rosters, source)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        dns.close()
        client.close()

    def body(folder: Path) -> None:
        with serving(folder, [f"10.0.0.{number}" for number in range(1, addresses + 1)]), ApiServer() as api:
            api.populate(members)
            for verb in refused:
                api.refuse(verb, "pods")
            run(follow(api, folder))

    resolving(body)


def test_a_big_cluster_is_found_by_dns_without_a_request_to_the_api_server() -> None:
    async def scenario(api: ApiServer, rosters: Rosters, source: FallbackRoster) -> None:
        await rosters.become({f"10.0.0.{number}": SERVING for number in range(1, 5)})
        assert source.source == "dns"
        assert "more than 3 members (roster.kubernetes.direct_limit)" in rosters.last.lacks
        assert api.log == []

    reserved(scenario, 4, 4)


def test_where_pods_may_not_be_listed_members_come_from_dns() -> None:
    async def scenario(api: ApiServer, rosters: Rosters, source: FallbackRoster) -> None:
        await rosters.become({"10.0.0.1": SERVING, "10.0.0.2": SERVING})
        assert source.source == "dns"
        assert "(may not list pods in namespace default)" in rosters.last.lacks
        assert len(rosters) == 1

    reserved(scenario, 2, 2, "*")


def test_a_right_that_is_given_back_is_used_without_a_restart() -> None:
    async def scenario(api: ApiServer, rosters: Rosters, source: FallbackRoster) -> None:
        await rosters.become({"10.0.0.1": SERVING, "10.0.0.2": SERVING})
        api.allow("list", "pods")
        await rosters.become({"agent-0": SERVING, "agent-1": SERVING})
        assert (source.source, rosters.last.lacks) == ("kubernetes", "")

    reserved(scenario, 2, 2, "list")


def test_a_cluster_that_shrinks_is_watched_again() -> None:
    async def scenario(api: ApiServer, rosters: Rosters, source: FallbackRoster) -> None:
        await rosters.become({"10.0.0.1": SERVING, "10.0.0.2": SERVING})
        assert source.source == "dns"
        for number in (2, 3):
            api.delete("pods", f"agent-{number}")
        await rosters.become({"agent-0": SERVING, "agent-1": SERVING})
        assert source.source == "kubernetes"

    reserved(scenario, 4, 2)


def test_a_small_cluster_is_watched_and_one_that_grows_is_left_to_dns() -> None:
    async def scenario(api: ApiServer, rosters: Rosters, source: FallbackRoster) -> None:
        await rosters.become({"agent-0": SERVING, "agent-1": SERVING})
        assert source.source == "kubernetes"
        for number in (2, 3):
            api.put("pods", shapes.pod(f"agent-{number}", node="node-0", ips=(f"10.0.1.{number}",)))
        await until(lambda: source.source == "dns")
        await rosters.become({"10.0.0.1": SERVING, "10.0.0.2": SERVING})

    reserved(scenario, 2, 2)
