from __future__ import annotations

import msgspec

from kubesonar.kube.types import Endpoints, EndpointSlice, Lease, Node, Pod, Service
from tests.kube import shapes


def test_a_pod() -> None:
    pod = msgspec.convert(shapes.pod("a", node="n", ips=("10.0.0.1", "fd00::1"), host_network=True), Pod)
    assert (pod.metadata.key, pod.spec.node_name, pod.spec.host_network) == ("default/a", "n", True)
    assert [ip.ip for ip in pod.status.pod_ips] == ["10.0.0.1", "fd00::1"]
    assert (pod.status.pod_ip, pod.status.host_ip, pod.status.host_ips[0].ip) == ("10.0.0.1", "192.0.2.1", "192.0.2.1")
    assert {one.type: one.status for one in pod.status.conditions}["Ready"] == "True"
    assert pod.metadata.owner_references[0].kind == "DaemonSet"


def test_a_node() -> None:
    node = msgspec.convert(shapes.node("n", cordoned=True, ips=("192.0.2.1", "2001:db8::1")), Node)
    assert (node.metadata.key, node.spec.unschedulable) == ("n", True)
    assert {one.type: one.status for one in node.status.conditions}["Ready"] == "True"


def test_a_service() -> None:
    spec = {
        "clusterIP": "10.96.0.1",
        "clusterIPs": ["10.96.0.1", "fd01::1"],
        "ports": [{"port": 53, "targetPort": "dns"}],
    }
    service = msgspec.convert({"metadata": {"name": "a"}, "spec": spec}, Service)
    assert (service.spec.cluster_ips, service.spec.ports[0].port) == (("10.96.0.1", "fd01::1"), 53)


def test_lists_that_are_null() -> None:
    piece = msgspec.json.decode(b'{"metadata":{"name":"a"},"endpoints":null,"ports":null}', type=EndpointSlice)
    assert (piece.endpoints, piece.ports) == (None, None)
    old = msgspec.json.decode(b'{"metadata":{"name":"a"},"subsets":null}', type=Endpoints)
    assert old.subsets is None


def test_a_lease() -> None:
    lease = msgspec.convert(shapes.lease("l", "me"), Lease)
    assert (lease.spec.holder_identity, lease.spec.lease_duration_seconds) == ("me", 15)
