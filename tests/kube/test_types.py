from __future__ import annotations

import msgspec
import pytest

from kubesonar.kube.object_meta import NOTE_SIZE, NOTES
from kubesonar.kube.resource import NODES, Resource, endpoint_slices, pods
from kubesonar.kube.types import Endpoints, EndpointSlice, Lease, Node, Pod, Service
from tests.kube import shapes


def _pod(**meta: object) -> Pod:
    return msgspec.convert({"metadata": {"name": "a", **meta}}, Pod)


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


def test_long_annotations_are_left_out_and_short_ones_kept() -> None:
    pod = _pod(annotations={"last-applied": "x" * (NOTE_SIZE + 1), "mesh": "off"})
    assert pod.metadata.annotations == {"mesh": "off"}


@pytest.mark.parametrize("where", ["labels", "annotations"])
def test_metadata_is_bounded(where: str) -> None:
    pod = _pod(**{where: {f"k{number}": "v" for number in range(10_000)}})
    assert len(getattr(pod.metadata, where)) == NOTES


def test_the_words_of_a_resource() -> None:
    assert Resource(pods("x"), Pod).words == "pods in namespace x"
    assert Resource(NODES, Node).words == "nodes"
    assert Resource(endpoint_slices("y"), EndpointSlice).words == "endpointslices in namespace y"


@pytest.mark.parametrize("name", ["a/b", "a?b", "..", "A", "x" * 64, "-a"])
def test_a_namespace_cannot_lead_elsewhere(name: str) -> None:
    with pytest.raises(ValueError, match="a namespace is"):
        pods(name)
