"""What decides on a restart, as the API server says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubesonar.core.decoding import convert_plain
from kubesonar.core.remedy.dns_round import DnsServerPod
from kubesonar.doctor.repair.facts import DnsFacts, FactsReader, rolls
from kubesonar.doctor.repair.objects import Workload
from kubesonar.kube.client import Client
from kubesonar.kube.object_meta import unix_seconds
from tests.clocks import TurnedClock
from tests.doctor.repair.kubernetes import dns_pod, workload
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import with_client


class _At(TurnedClock):
    """A clock that stands 90 s after the conditions of all pods."""

    def wall(self) -> float:
        return unix_seconds("2026-11-21T07:01:30Z")


def facts(api: ApiServer, folder: Path) -> DnsFacts:
    async def work(client: Client) -> DnsFacts:
        reader = FactsReader(client, "kube-system", _At())
        found = await reader.read("k8s-app=kube-dns")
        return await reader.explain(found) if found.pods is not None else found

    return with_client(api, folder, work)


def test_pods_with_what_decides_on_them(tmp_path: Path) -> None:
    with ApiServer() as api:
        pod = api.put("pods", dns_pod(1))
        other = dns_pod(2, ready=False)
        other["metadata"] |= {"deletionTimestamp": "2026-11-21T07:01:00Z", "ownerReferences": []}
        other["status"]["containerStatuses"][0]["restartCount"] = 4
        api.put("pods", other)
        api.put("pods", shapes.pod("stranger", namespace="kube-system"))
        api.put("nodes", shapes.node("node-1"))
        api.put("nodes", shapes.node("node-2", ready="Unknown", cordoned=True))
        found = facts(api, tmp_path)
    assert found.planned == ()
    assert found.pods is not None
    first, second = found.pods
    assert first == DnsServerPod(
        uid=pod["metadata"]["uid"],
        name="coredns-1",
        node="node-1",
        running_for=90.0,
        node_ready=True,
        owner="ReplicaSet",
    )
    assert (second.ready, second.node_ready, second.deleting, second.restarts) == (False, False, True, 4)
    assert (second.owner, second.planned) == ("", "its node is cordoned")
    assert found.addresses[first.uid] == "127.0.0.11"


def test_what_cannot_be_read_is_unknown_and_never_evidence(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.put("pods", dns_pod(1))
        api.refuse("get", "nodes")
        api.refuse("list", "daemonsets")
        found = facts(api, tmp_path)
        assert found.pods is not None
        assert found.pods[0].node_ready is None
        assert len(found.planned) == 1
        assert "a ClusterRole with" in found.planned[0]
        assert "resources: [daemonsets], verbs: [list]} would grant it" in found.planned[0]
        api.refuse("list", "pods")
        assert (
            with_client(api, tmp_path, lambda client: FactsReader(client, "kube-system", _At()).read("a=b")).pods
            is None
        )


def test_rollouts_of_dns_and_of_what_runs_in_the_nodes_network_are_planned(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.put("deployments", workload("coredns", updatedReplicas=1))
        api.put("daemonsets", workload("cilium", updatedNumberScheduled=1))
        api.put("daemonsets", workload("calico", namespace="calico-system", updatedNumberScheduled=1))
        inside = workload("logs", namespace="logging", updatedNumberScheduled=1)
        inside["spec"]["template"]["spec"]["hostNetwork"] = False
        api.put("daemonsets", inside)
        found = facts(api, tmp_path)
    assert found.planned == (
        "a rollout of Deployment kube-system/coredns",
        "a rollout of DaemonSet calico-system/calico",
        "a rollout of DaemonSet kube-system/cilium",
    )


STUCK = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}

ROLLS: list[tuple[str, dict[str, Any], bool]] = [
    ("Deployment", {}, False),
    ("Deployment", {"observedGeneration": 2}, True),
    ("Deployment", {"updatedReplicas": 1}, True),
    ("Deployment", {"replicas": 3}, True),
    ("Deployment", {"updatedReplicas": 1, "paused": True}, False),
    ("Deployment", {"updatedReplicas": 1, "conditions": [STUCK]}, False),
    ("DaemonSet", {}, False),
    ("DaemonSet", {"updatedNumberScheduled": 1}, True),
    ("DaemonSet", {"observedGeneration": 2}, True),
    ("DaemonSet", {"updatedNumberScheduled": 1, "updateStrategy": {"type": "OnDelete"}}, False),
]


@pytest.mark.parametrize("kind, more, expected", ROLLS)
def test_what_is_a_rollout(kind: str, more: dict[str, Any], expected: bool) -> None:
    assert rolls(convert_plain(workload("one", **more), Workload), kind) is expected


def test_an_eviction_of_our_own_is_no_rollout() -> None:
    """The Deployment then lacks a pod that is available, and has all that it wants."""
    assert not rolls(convert_plain(workload("one"), Workload), "Deployment")
