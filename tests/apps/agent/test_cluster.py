"""What an agent finds in its environment: the API server, the resolver, the token."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kubesonar.apps.agent.cluster import ClusterWatch
from kubesonar.apps.agent.options import MemberOptions
from kubesonar.config import ConfigError
from kubesonar.core.probing.cluster_checks import API_DIRECT, API_DNS
from kubesonar.core.probing.cluster_document import ClusterDocument
from kubesonar.core.probing.cluster_facts import Dependencies, DnsPod, ServiceEndpoint
from kubesonar.core.probing.cluster_options import ClusterOptions
from kubesonar.discovery.options import KubernetesOptions
from kubesonar.model import Check, Fault, Network, Observation, Roster
from kubesonar.model import Path as Way
from kubesonar.net.deadline import Failed
from kubesonar.probes.cautious import CautiousProbe
from tests.kube.apiserver import PATIENCE, ApiServer
from tests.kube.running import run
from tests.scenarios.test_agent_cluster import dns_slice
from tests.waiting import until

POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
IN_CLUSTER = {"domain": "cluster.local", "api": {"direct": False, "dns": False}, "dns": {"service": False}}
SEARCH = "search shop.svc.cluster.local svc.cluster.local cluster.local example.com\nnameserver 10.96.0.10\n"


def cluster(folder: Path, environ: dict[str, str], resolv: str = SEARCH, **api: Any) -> ClusterWatch:
    (folder / "resolv.conf").write_text(resolv)
    options = {"resolv_conf": str(folder / "resolv.conf"), "api": {"trust": "/ca.crt", **api}}
    return watch(msgspec.convert(options, ClusterOptions), environ)


def watch(options: ClusterOptions, environ: dict[str, str]) -> ClusterWatch:
    return ClusterWatch(options, KubernetesOptions(), MemberOptions(), environ)


def checks(found: ClusterWatch) -> dict[str, Check]:
    return {check.id: check for check in found.dependencies.checks}


def test_in_a_pod(tmp_path: Path) -> None:
    found = cluster(tmp_path, POD)
    assert list(checks(found)) == [
        API_DIRECT,
        API_DNS,
        "dns/dns_service/dns-service/udp/10.96.0.10",
        "dns/dns_service/dns-service/tcp/10.96.0.10",
    ]
    assert found.names == 5
    assert set(found.terms) == {API_DIRECT, API_DNS}


def test_what_a_collector_tells_takes_the_place_of_asking_the_api_server(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text(SEARCH)
    options = ClusterOptions(resolv_conf=str(tmp_path / "resolv.conf"))
    found = ClusterWatch(options, KubernetesOptions(), MemberOptions(), POD, told=True)
    changed: list[Dependencies] = []
    asyncio.run(found.watch(changed.append))
    assert len(changed) == 1
    service = (ServiceEndpoint("10.96.0.11", 7473),)
    found.tell(ClusterDocument(1, Roster("r", ()), (DnsPod("dns-1", "10.0.0.53"),), service=service, complete=True))
    told = {check.id for check in changed[-1].checks}
    assert {"dns/dns_pod/dns-1/udp", "http/service/service"} <= told


def test_outside_a_cluster(tmp_path: Path) -> None:
    found = cluster(tmp_path, {}, "nameserver 192.0.2.53\n")
    assert found.dependencies == Dependencies()
    assert not found.terms


def test_nothing_is_found_where_it_may_not_be_looked_for(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.53\n")
    options = ClusterOptions(detect=False, resolv_conf=str(tmp_path / "resolv.conf"))
    assert watch(options, POD).dependencies == Dependencies()


def test_an_ipv6_api_server_and_the_default_port(tmp_path: Path) -> None:
    found = cluster(tmp_path, {"KUBERNETES_SERVICE_HOST": "fd00:96::1"})
    assert checks(found)[API_DIRECT].request == "https://[fd00:96::1]:443/version"
    bearer = found.terms[API_DNS].bearer
    assert bearer is not None
    assert (bearer.address, bearer.port, bearer.trust) == ("fd00:96::1", 443, "/ca.crt")


@pytest.mark.parametrize("port", ["0", "65536", "tcp://10.96.0.1:443", "-1", "٤٤٣", "9" * 5000])
def test_a_port_that_is_none(port: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="environment variable KUBERNETES_SERVICE_PORT: got"):
        cluster(tmp_path, POD | {"KUBERNETES_SERVICE_PORT": port})


def test_a_resolver_whose_file_is_missing_is_none(tmp_path: Path) -> None:
    found = watch(ClusterOptions(resolv_conf=str(tmp_path / "missing")), POD)
    assert list(checks(found)) == [API_DIRECT]
    assert found.names == 1


def test_the_token_is_read_each_time_and_can_be_left_out(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    bearer = cluster(tmp_path, POD, token_file=str(token)).terms[API_DIRECT].bearer
    assert bearer is not None
    assert bearer.token() == "first"
    (tmp_path / "next").write_text("second")
    (tmp_path / "next").replace(token)
    assert bearer.token() == "second"
    token.unlink()
    with pytest.raises(Failed, match="cannot be read") as caught:
        bearer.token()
    assert caught.value.fault is Fault.LOCAL
    assert cluster(tmp_path, POD, token_file="").terms[API_DIRECT].bearer is None


@pytest.mark.skipif(
    os.path.exists("/var/run/secrets/kubernetes.io/serviceaccount/token"),  # noqa: PTH110
    reason="runs in a pod, which has credentials",
)
def test_credentials_that_are_missing_are_said_and_cost_the_rest_nothing(tmp_path: Path) -> None:
    told: list[Dependencies] = []
    cluster(tmp_path, POD)
    run(watch(ClusterOptions(resolv_conf=str(tmp_path / "resolv.conf")), POD).watch(told.append))
    assert told[-1].lost[0].startswith("DNS pods and Services are not found: the file ")
    assert len(told[-1].checks) == 4


def test_many_agents_accuse_a_silent_dns_pod_once_it_is_known_to_be_there_still(tmp_path: Path) -> None:
    async def silent(check: Check) -> Observation:
        return Observation(check, "node-1", Network.POD, time.time(), fault=Fault.TIMEOUT, detail="no answer")

    async def scenario(api: ApiServer) -> None:
        kubernetes = KubernetesOptions(kubeconfig=api.kubeconfig(tmp_path / "config"), direct_limit=1)
        told: list[Dependencies] = []
        found = ClusterWatch(msgspec.convert(IN_CLUSTER, ClusterOptions), kubernetes, MemberOptions(), POD)
        found.agents(2)
        task = asyncio.create_task(found.watch(told.append))
        try:
            await until(lambda: told and told[-1].checks)
            probe, (check, *_) = CautiousProbe(silent, Way.DNS_POD, found), told[-1].checks
            assert (await probe(check)).fault is Fault.OTHER
            async with asyncio.timeout(PATIENCE):  # until it was listed again
                while (await probe(check)).fault is not Fault.TIMEOUT:  # noqa: ASYNC110  # as in tests.kube.running.until
                    await asyncio.sleep(0.01)
            assert len(api.asked("list", "endpointslices")) > 1
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            found.close()

    with ApiServer() as api:
        api.put("endpointslices", dns_slice(("coredns-a", 53)))
        run(scenario(api))
