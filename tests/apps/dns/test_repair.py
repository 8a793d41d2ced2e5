"""`kubesonar dns repair`: what is printed and done, and the exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesonar.apps.dns import main
from kubesonar.config import ConfigError
from tests.doctor import dns_server
from tests.doctor.cluster import DnsCluster, dns_cluster
from tests.doctor.repair.doctors import populate

SUCCESSOR = "127.0.0.13"


def repair(cluster: DnsCluster, folder: Path, *more: str) -> int:
    return main(["repair", "--kubeconfig", cluster.kubeconfig(folder), "--timeout", "0.1", "--period", "0.05", *more])


def test_a_healthy_cluster_needs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with dns_cluster() as cluster:
        populate(cluster, 1, 2)
        assert repair(cluster, tmp_path) == 0
    assert capsys.readouterr().out == "2 of 2 DNS pods answer\n"


def test_a_deaf_pod_is_a_suggestion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with dns_cluster() as cluster:
        populate(cluster, 1, 2)
        cluster.pods[0].udp = dns_server.silent
        assert repair(cluster, tmp_path) == 1
        assert cluster.api.asked("create") == []
    said = capsys.readouterr().out
    assert said.startswith("1 of 2 DNS pods answer; DNS pod coredns-1 should be restarted: it fails for ")


def test_yes_restarts_it_and_says_whether_it_helped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with dns_cluster(SUCCESSOR) as cluster:
        populate(cluster, 1, 2, holder="")
        cluster.pods[0].udp = dns_server.silent
        assert repair(cluster, tmp_path, "--yes") == 0
        assert len(cluster.api.asked("create", "pods/eviction")) == 1
        lease = cluster.api.get("leases", "kubesonar-dns-doctor", "kube-system")
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("restarting DNS pod coredns-1: it fails ")
    assert second.startswith("the successor of coredns-1 answers after ")
    assert third == "2 of 2 DNS pods answer"
    assert lease["spec"]["holderIdentity"] == ""
    assert "kubesonar.io/dns-restarts" in lease["metadata"]["annotations"]


def test_delete_removes_it_without_asking_budgets(tmp_path: Path) -> None:
    with dns_cluster(SUCCESSOR) as cluster:
        populate(cluster, 1, 2, holder="")
        cluster.api.switches.evictions.budgets = [5]
        cluster.pods[0].udp = dns_server.silent
        assert repair(cluster, tmp_path, "--yes", "--delete", "--no-events") == 0
        assert len(cluster.api.asked("delete", "pods")) == 1
        assert cluster.api.asked("create") == []


def test_what_cannot_be_told_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with dns_cluster() as cluster:
        populate(cluster, 1, 2)
        cluster.api.refuse("list", "pods")
        assert repair(cluster, tmp_path) == 2
    assert capsys.readouterr().out == "cannot tell: the API server does not say which DNS pods there are\n"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--after", "soon"], "after .flag --after.: got"),
        (["--sick", "2"], "sick .flag --sick.: got"),
        (["--collector", "http://127.0.0.1:1", "--token-file", "/nonexistent"], "--token-file"),
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], words: str, tmp_path: Path) -> None:
    with dns_cluster() as cluster, pytest.raises(ConfigError, match=words):
        repair(cluster, tmp_path, *arguments)
