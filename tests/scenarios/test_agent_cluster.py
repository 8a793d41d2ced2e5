"""An agent in a cluster: a real API server's double and real DNS servers that come and go."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from kubesonar.model import Edge, Fault, Health
from tests.apps.agents import RunningAgent, members, tree, until
from tests.kube.apiserver import ApiServer
from tests.ports import free_port
from tests.probes.dns_servers import running_unbound

VERSION = "http/api_direct/api-server"
AGENTS = 400


def dns_slice(*pods: tuple[str, int]) -> dict[str, Any]:
    """A slice of kube-dns, all pods of which share one port, as slices do: so one slice for each."""
    ((name, port),) = pods
    return {
        "metadata": {
            "name": f"kube-dns-{name}",
            "namespace": "kube-system",
            "labels": {"kubernetes.io/service-name": "kube-dns"},
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": ["127.0.0.1"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "targetRef": {"kind": "Pod", "namespace": "kube-system", "name": name},
            }
        ],
        "ports": [
            {"name": "dns", "port": port, "protocol": "UDP"},
            {"name": "dns-tcp", "port": port, "protocol": "TCP"},
        ],
    }


def cluster(api: ApiServer, folder: Path, **more: Any) -> dict[str, Any]:
    """The configuration of an agent that finds this API server; as a pod does, but for where the files are."""
    resolver = folder / "resolv.conf"
    resolver.write_text("search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 127.0.0.1\n")
    api.in_cluster(folder)
    options = {
        "resolv_conf": str(resolver),
        "api": {
            "host": "127.0.0.1",
            "port": api.port,
            "trust": str(folder / "ca.crt"),
            "token_file": str(folder / "token"),
            "dns": False,
            "period": 0.2,
            **more,
        },
        "dns": {"service": False, "period": 0.2},
    }
    port = free_port()
    whole = tree("a", port, members(folder, {"a": port}), cluster=options)
    whole["roster"] |= {"kubernetes": {"kubeconfig": api.kubeconfig(folder / "kubeconfig")}}
    return whole


def edges(agent: RunningAgent, part: str) -> dict[str, Edge]:
    """Those whose check's id holds this."""
    return {edge.latest.check.id: edge for edge in agent.snapshot().edges if part in edge.latest.check.id}


def well(agent: RunningAgent, *ids: str) -> bool:
    """Whether these, and no others alike, were seen to be well."""
    found = edges(agent, ids[0].rpartition("/")[0].rpartition("/")[0])
    return set(found) == set(ids) and all(edge.latest.health is Health.GOOD for edge in found.values())


def of(pod: str) -> tuple[str, str]:
    return f"dns/dns_pod/{pod}/udp", f"dns/dns_pod/{pod}/tcp"


def test_the_api_server_and_dns_pods_that_come_and_go(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with ApiServer() as api, running_unbound(tmp_path / "a") as first, running_unbound(tmp_path / "b") as second:
        api.put("endpointslices", dns_slice(("coredns-a", first)))
        with RunningAgent(tmp_path, "agent", **cluster(api, tmp_path, full=1.0)) as agent:
            until(lambda: well(agent, *of("coredns-a")))
            until(lambda: well(agent, VERSION))
            assert not [one for one, _ in api.log if one.token and one.path == "/version"]

            api.put("endpointslices", dns_slice(("coredns-b", second)))
            until(lambda: well(agent, *of("coredns-a"), *of("coredns-b")))
            api.delete("endpointslices", "kube-dns-coredns-a", "kube-system")
            until(lambda: well(agent, *of("coredns-b")))

            api.expire_certificate()  # seen by the next full handshake
            until(lambda: edges(agent, VERSION)[VERSION].latest.fault is Fault.TLS)
            until(lambda: well(agent, *of("coredns-b")))

            assert "kubesonar_budget_agents 1\n" in agent.get("/metrics")[1].decode()
            assert agent.snapshot().lacks == ()


def test_a_token_where_an_anonymous_request_is_refused_and_as_it_rotates(tmp_path: Path) -> None:
    path = "/api/v1/namespaces/default/pods"
    with ApiServer() as api, RunningAgent(tmp_path, "agent", **cluster(api, tmp_path, path=path)) as agent:
        until(lambda: well(agent, VERSION))
        api.rotate_token("token-2")
        asked = len(api.log)
        until(lambda: any(one.token == "token-2" and one.path == path for one, _ in api.log[asked:]))
        until(lambda: well(agent, VERSION))
        shown = [bool(one.token) for one, _ in api.log if one.path == path]
        assert not any(one and two for one, two in pairwise(shown))  # each after a refusal


def test_periods_grow_with_the_number_of_agents(tmp_path: Path) -> None:
    with ApiServer() as api:
        whole = cluster(api, tmp_path) | {"budget": {"agents": AGENTS}}
        with RunningAgent(tmp_path, "agent", **whole) as agent:
            metrics = agent.get("/metrics")[1].decode()
            assert f"kubesonar_budget_agents {AGENTS}\n" in metrics
            assert f'kubesonar_period_seconds{{kind="http",path="api_direct"}} {AGENTS / 20}\n' in metrics


def test_what_cannot_be_checked_is_said(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.refuse("list", "endpointslices")
        with RunningAgent(tmp_path, "agent", **cluster(api, tmp_path)) as agent:
            lost = until(lambda: agent.snapshot().lacks)
            assert lost == (
                "DNS pods are not asked one by one: no right to list endpointslices in namespace kube-system",
            )
            assert lost[0] in agent.get("/readyz")[1].decode()
