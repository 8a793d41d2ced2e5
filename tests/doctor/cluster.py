"""A cluster for tests: an API double that has its DNS Service, and a DNS server for each address."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.doctor.dns_server import API, VIP, DnsServerDouble, serving
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.ports import free_port

PODS = ("127.0.0.11", "127.0.0.12")
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class DnsCluster:
    """The API double, and the servers by address."""

    def __init__(self, api: ApiServer, port: int) -> None:
        self.api = api
        self.port = port
        self.servers = {address: DnsServerDouble(address, port) for address in (VIP, *PODS)}
        self.rights: set[str] = set()
        """Rights that an access review grants, as "create pods/exec"."""
        self.commands: list[list[str]] = []
        """What was run in pods."""
        api.put("services", service(port))
        api.put("services", kubernetes())
        api.put("endpointslices", endpoints(port))
        for address in PODS:
            number = address[-1]
            labels = {"k8s-app": "kube-dns"}
            api.put("pods", shapes.pod(f"coredns-{number}", ips=(address,), namespace="kube-system", labels=labels))
        api.switches.documents[REVIEWS] = self._review

    @property
    def vip(self) -> DnsServerDouble:
        return self.servers[VIP]

    @property
    def pods(self) -> tuple[DnsServerDouble, ...]:
        return tuple(self.servers[address] for address in PODS)

    def kubeconfig(self, folder: Path) -> str:
        return self.api.kubeconfig(folder / "kubeconfig")

    def _review(self, body: bytes) -> dict[str, Any]:
        wanted = msgspec.json.decode(body)["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, (wanted["resource"], wanted["subresource"])))
        return {"status": {"allowed": f"{wanted['verb']} {resource}" in self.rights}}


@contextlib.contextmanager
def dns_cluster(*more: str) -> Iterator[DnsCluster]:
    """Serves; `more` are further addresses with a server."""
    with ApiServer() as api:
        cluster = DnsCluster(api, free_port(VIP, *PODS, *more))
        cluster.servers |= {address: DnsServerDouble(address, cluster.port) for address in more}
        with serving(cluster.servers.values()):
            yield cluster


def service(port: int, name: str = "kube-dns", vip: str = VIP, **spec: Any) -> dict[str, Any]:
    ports = [
        {"name": "metrics", "port": 9153, "protocol": "TCP"},
        {"name": "dns", "port": port, "protocol": "UDP", "nodePort": spec.pop("node_port", 0)},
        {"name": "dns-tcp", "port": port, "protocol": "TCP", "nodePort": spec.pop("node_port_tcp", 0)},
    ]
    return {
        "metadata": {"name": name, "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
        "spec": {"clusterIP": vip, "clusterIPs": [vip], "ports": ports, "selector": {"k8s-app": "kube-dns"}, **spec},
    }


def kubernetes() -> dict[str, Any]:
    return {"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": {"clusterIP": API, "clusterIPs": [API]}}


def endpoints(port: int, *addresses: str, ready: bool = True) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "kube-dns-a",
            "namespace": "kube-system",
            "labels": {"kubernetes.io/service-name": "kube-dns"},
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [address],
                "conditions": {"ready": ready, "serving": True, "terminating": False},
                "nodeName": f"node-{address[-1]}",
                "targetRef": {"kind": "Pod", "namespace": "kube-system", "name": f"coredns-{address[-1]}"},
            }
            for address in addresses or PODS
        ],
        "ports": [
            {"name": "metrics", "port": 9153, "protocol": "TCP"},
            {"name": "dns-tcp", "port": port, "protocol": "TCP"},
            {"name": "dns", "port": port, "protocol": "UDP"},
        ],
    }


def corefile(*lines: str) -> dict[str, object]:
    text = ".:53 {\n" + "".join(lines) + "}\n"
    return {"metadata": {"name": "coredns", "namespace": "kube-system"}, "data": {"Corefile": text}}
