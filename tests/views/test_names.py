"""Short names stay distinct, and say what differs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.views.names import ShortNames, fitted, shortened, without_hashes
from tests.views.clusters import CLUSTERS


@pytest.mark.parametrize(
    ("cluster", "first", "before", "after"),
    [
        ("EKS", "12-34", "ip-10-0-", ".eu-central-1.compute.internal"),
        ("GKE", "1-x9k2", "gke-prod-pool-", ""),
        ("GKE with one pool", "x9k2", "gke-cluster-1-default-pool-8f2a7c1d-", ""),
        ("GKE Autopilot", "default-pool-abcd", "gk3-autopilot-cluster-1-", ""),
        ("AKS", "nodepool1-00", "aks-", ""),
        ("kubeadm by full name", "01", "k8s-", ".prod.example.com"),
        ("kubeadm", "master-1", "", ""),
        ("k3s", "server-0", "k3s-prod-", ""),
        ("k3s on small machines", "raspberrypi", "", ""),
    ],
)
def test_names_are_cut_to_what_differs(cluster: str, first: str, before: str, after: str) -> None:
    found = shortened(CLUSTERS[cluster])
    assert (found.labels[0], found.before, found.after) == (first, before, after)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_distinct_names_stay_distinct(cluster: str) -> None:
    names = CLUSTERS[cluster]
    labels = shortened(names).labels
    assert len(set(labels)) == len(names) == len(set(names))
    assert all(labels)
    for width in (5, 8, 12):
        if (cut := fitted(labels, width)) is not None:
            assert len(set(cut)) == len(names) and max(map(len, cut)) <= width


def test_few_or_equal_beginnings() -> None:
    assert shortened(["node-1"]) == ShortNames(("node-1",))
    assert shortened([]) == ShortNames(())
    assert shortened(["node-1", "node-10", "node-11"]) == ShortNames(("1", "10", "11"), "node-")
    assert shortened(["node-", "node-1"]).labels == ("node-", "node-1")
    assert shortened(["a.x", "b.x"]) == ShortNames(("a", "b"), "", ".x")
    assert shortened(["node-101", "node-102"]).labels == ("101", "102")


def test_hashes_that_tell_apart_stay() -> None:
    assert without_hashes(["coredns-5d78c9869d-7xk2p", "api"]) == ["coredns-7xk2p", "api"]
    assert without_hashes(["web-5d78c9869d-1", "web-7f9cbd4c4-1"]) == ["web-5d78c9869d-1", "web-7f9cbd4c4-1"]
    assert without_hashes([]) == []


@given(st.lists(st.text("ab01-./", min_size=1, max_size=12), unique=True, max_size=8), st.integers(2, 12))
def test_of_any_names(names: list[str], width: int) -> None:
    labels = shortened(names).labels
    assert len(set(labels)) == len(names)
    cut = fitted(labels, width)
    assert cut is None or (len(set(cut)) == len(names) and max(map(len, cut), default=0) <= width)
