from __future__ import annotations

import msgspec
import pytest

from kubesonar.compat.kubenurse.neighbours.selection import (
    Neighbour,
    OwnPod,
    addresses_of,
    cordoned,
    find_own_pod,
    nearest,
    neighbour_pods,
)
from kubesonar.core.hash_ring import place
from kubesonar.kube.types import Node, Pod
from tests.kube import shapes

SIX = [f"node-{number}" for number in range(1, 7)]


def pod(name: str, **shape: object) -> Pod:
    return msgspec.convert(shapes.pod(name, **shape), Pod)  # type: ignore[arg-type]


def node(name: str, **shape: object) -> Node:
    return msgspec.convert(shapes.node(name, **shape), Node)  # type: ignore[arg-type]


def on(name: str) -> Neighbour:
    return Neighbour(f"pod-{name}", "10.0.0.1", "", name, "Schedulable", "Running", ("10.0.0.1",))


@pytest.mark.parametrize(
    ("name", "hash_"),
    [
        ("node-1", 3861585884071264842),
        ("node-2", 1691653199610663414),
        ("kind-worker", 7596140118108080231),
    ],
)
def test_kn22_hashes_are_the_published_ones(name: str, hash_: int) -> None:
    assert place(name) == hash_


@pytest.mark.parametrize(
    ("own", "chosen"),
    [(1, [6, 4, 3]), (2, [1, 6, 4]), (3, [5, 2, 1]), (4, [3, 5, 2]), (5, [2, 1, 6]), (6, [4, 3, 5])],
)
def test_kn22_neighbours_are_the_published_ones(own: int, chosen: list[int]) -> None:
    name = f"node-{own}"
    others = [on(other) for other in SIX if other != name]
    assert [neighbour.node for neighbour in nearest(others, name, 3)] == [f"node-{number}" for number in chosen]


def test_kn22_everybody_is_asked_by_as_many_as_everybody_asks() -> None:
    names = [f"node-{number}" for number in range(100)]
    asked: dict[str, int] = {}
    for name in names:
        for neighbour in nearest([on(other) for other in names if other != name], name, 10):
            asked[neighbour.node] = asked.get(neighbour.node, 0) + 1
    assert set(asked.values()) == {10}
    assert len(asked) == 100


@pytest.mark.parametrize("limit", [0, -1, 5, 6])
def test_kn23_no_limit_means_every_neighbour(limit: int) -> None:
    others = [on(name) for name in SIX[1:]]
    assert nearest(others, "node-1", limit) == others


def test_neighbours_run_and_are_not_leaving() -> None:
    leaving = pod("leaving", node="node-2")
    leaving = msgspec.structs.replace(
        leaving, metadata=msgspec.structs.replace(leaving.metadata, deletion_timestamp="2026-11-21T07:00:00Z")
    )
    pods = [
        pod("a", node="node-1", ips=("10.0.1.1",)),
        pod("pending", node="node-2", phase="Pending"),
        pod("without-address", node="node-2", ips=()),
        leaving,
        pod("b", node="node-2", ips=("10.0.2.1",), ready=False),
    ]
    found = neighbour_pods(pods, None, pods[0])
    assert [(one.pod, one.node, one.address, one.host, one.phase, one.schedulable) for one in found] == [
        ("b", "node-2", "10.0.2.1", "192.0.2.1", "Running", "Unknown")
    ]


def test_kn27_pods_on_cordoned_and_missing_nodes_are_not_asked() -> None:
    pods = [pod(f"on-{name}", node=name, ips=(f"10.0.{number}.1",)) for number, name in enumerate(SIX)]
    nodes = {name: node(name, cordoned=name == "node-2") for name in SIX if name != "node-3"}
    found = neighbour_pods(pods, nodes, pods[0])
    assert [one.node for one in found] == ["node-4", "node-5", "node-6"]
    assert {one.schedulable for one in found} == {"Schedulable"}


def test_kn27_the_taint_of_a_cordon_is_one_too() -> None:
    tainted = node("a", cordoned=True)
    only_taint = msgspec.structs.replace(tainted, spec=msgspec.structs.replace(tainted.spec, unschedulable=False))
    assert cordoned(tainted)
    assert cordoned(only_taint)
    assert cordoned(None)
    assert not cordoned(node("a"))


def test_a_pod_recognises_itself_by_its_name() -> None:
    pods = [pod("a", ips=("10.0.0.1",)), pod("b", ips=("10.0.0.2",))]
    me = find_own_pod(pods, "b", lambda address: False)
    assert me is pods[1]


def test_kn24_in_the_host_network_a_pod_recognises_itself_by_its_address() -> None:
    pods = [
        pod("a-x1", node="node-1", ips=("192.0.2.1",), host_network=True),
        pod("a-x2", node="node-2", ips=("192.0.2.2",), host_network=True),
    ]
    me = find_own_pod(pods, "node-2", lambda address: address == "192.0.2.2")
    assert me is pods[1]
    assert [one.pod for one in neighbour_pods(pods, None, me)] == ["a-x1"]


def test_kn24_a_pod_at_my_own_address_is_no_neighbour() -> None:
    pods = [
        pod("old", node="node-1", ips=("192.0.2.1",), host_network=True),
        pod("me", node="node-1", ips=("192.0.2.1",), host_network=True),
        pod("other", node="node-2", ips=("192.0.2.2",), host_network=True),
    ]
    assert [one.pod for one in neighbour_pods(pods, None, pods[1])] == ["other"]


def test_kn29_all_addresses_are_known_and_the_first_comes_first() -> None:
    both = pod("a", ips=("fd00::1", "10.0.0.1"))
    assert addresses_of(both) == ("fd00::1", "10.0.0.1")
    assert OwnPod(both, "node-1").families == {4, 6}
    assert OwnPod(None, "").families == frozenset()


def test_a_pod_has_one_address_of_each_family_and_no_names() -> None:
    many = [f"10.0.{n // 256}.{n % 256}" for n in range(1, 4000)] + ["fd00::1", "fd00::2"]
    assert addresses_of(_with_status("10.0.0.1", many)) == ("10.0.0.1", "fd00::1")
    assert addresses_of(_with_status("evil.example:80/x", [])) == ()


def _with_status(first: str, all_of_them: list[str]) -> Pod:
    status = {"podIP": first, "podIPs": [{"ip": ip} for ip in all_of_them]}
    return msgspec.convert({"metadata": {"name": "a"}, "status": status}, Pod)
