"""An agent in what looks like a pod: the resolver, the environment and the service account of a cluster."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from kubesonar.core.probing.cluster_options import ACCOUNT
from kubesonar.lab.kernel.syscalls import mount
from kubesonar.model import Health
from tests.apps.agents import RunningAgent, members, tree, until
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.lab.inside import in_namespaces
from tests.ports import free_port
from tests.programs import needs
from tests.scenarios.test_agent_cluster import dns_slice
from tests.unbound import unbound

MS_BIND = 0x1000  # include/uapi/linux/mount.h
API = "kubernetes.default.svc.cluster.local."
SHOP = "shop.example.com."
SEARCH = ("default.svc.cluster.local.", "svc.cluster.local.", "cluster.local.", "example.org.")
VIP = "10.96.0.10"
FOUND = {
    "http/api_direct/api-server",
    "http/api_dns/api-server",
    *(f"dns/dns_service/dns-service/{transport}/{VIP}" for transport in ("udp", "tcp")),
    *(f"dns/dns_pod/coredns-a/{transport}" for transport in ("udp", "tcp")),
}
PATHS = {"api_direct", "api_dns", "dns_service", "service", "ingress"}


@contextmanager
def resolver(folder: Path, address: str = "127.0.0.1") -> Iterator[Path]:
    """The machine's name server, at its usual port; gives its log, which holds the questions that it was asked."""
    (folder / "resolv.conf").write_text(f"search {' '.join(SEARCH)}\nnameserver {address}\noptions ndots:5\n")
    mount(str(folder / "resolv.conf"), "/etc/resolv.conf", "none", MS_BIND)
    more = ["log-queries: yes", f"interface: {address}", "access-control: 0.0.0.0/0 allow"]
    with unbound(folder, 53, [f"{name} 5 A 127.0.0.1" for name in (API, SHOP)], *more, zone=".") as log:
        yield log


def asked(log: Path) -> set[tuple[str, str]]:
    """Names and types that were asked for."""
    questions = [line.split()[-3:-1] for line in log.read_text().splitlines() if line.endswith(" IN")]
    return {(name, kind) for name, kind in questions}


def every_path_is_well() -> None:
    with tempfile.TemporaryDirectory() as name, ApiServer() as api, resolver(Path(name)) as log:
        folder, port = Path(name), free_port()
        api.in_cluster(folder)
        health = f":{port}/healthz"
        cluster = {
            "api": {
                "host": "127.0.0.1",
                "port": api.port,
                "trust": str(folder / "ca.crt"),
                "path": "/api/v1/nodes",  # which nobody may read without a token
                "token_file": str(folder / "token"),
                "period": 0.2,
            },
            "dns": {"address": ["127.0.0.1"], "period": 0.2},
            "service": {"url": f"http://127.0.0.1{health}", "period": 0.2},
            "ingress": {"url": f"http://{SHOP[:-1]}{health}", "period": 0.2},
        }
        with RunningAgent(folder, "a", **tree("a", port, members(folder, {"a": port}), cluster=cluster)) as agent:
            until(
                lambda: {e.latest.check.path for e in agent.snapshot().edges if e.latest.health is Health.GOOD} >= PATHS
            )
        of_api = {question for question in asked(log) if question[0].startswith(API)}
        assert of_api == {(API, "A"), (API, "AAAA")}
        of_shop = {question for question in asked(log) if question[0].startswith(SHOP)}
        assert of_shop == {(SHOP + rest, kind) for rest in (*SEARCH, "") for kind in ("A", "AAAA")}


def defaults_find_everything() -> None:
    """No configuration of what is checked, but for how often."""
    with IPRoute() as route:
        route.addr("add", index=1, address=VIP, prefixlen=32)
    mount("none", "/run", "tmpfs", 0)
    account = Path(ACCOUNT)
    account.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name, ApiServer() as api, resolver(Path(name), VIP):
        environ = api.in_cluster(account)
        api.put("nodes", shapes.node("node-0"))
        api.put("pods", shapes.pod("agent-0", node="node-0", ips=("127.0.0.1",)))
        api.put("endpointslices", dns_slice(("coredns-a", 53)))
        often = {"api": {"period": 0.2}, "dns": {"period": 0.2}}
        member = {"name": "agent-0", "node": "node-0", "port": 7473}
        with RunningAgent(Path(name), "agent", environ, member=member, cluster=often) as agent:
            until(
                lambda: {e.latest.check.id for e in agent.snapshot().edges if e.latest.health is Health.GOOD} >= FOUND
            )
            snapshot = agent.snapshot()
            assert {e.latest.check.id for e in snapshot.edges} - {"udp/loopback/self"} == FOUND
            assert [member.name for member in snapshot.roster.members] == ["agent-0"]
            assert not snapshot.lacks


@needs("unbound")
@pytest.mark.lab
def test_in_a_pod_everything_is_found_without_being_told() -> None:
    in_namespaces(defaults_find_everything)


@needs("unbound")
@pytest.mark.lab
def test_every_path_that_needs_a_name_and_what_looking_it_up_asks() -> None:
    in_namespaces(every_path_is_well)
