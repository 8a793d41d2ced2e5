"""Commands in the helper pod, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesonar.apps.dns import main
from kubesonar.config import ConfigError
from tests.doctor.cluster import DnsCluster, dns_cluster
from tests.doctor.helper import RIGHTS, kubelet


def arguments(cluster: DnsCluster, folder: Path, *command: str) -> list[str]:
    kubeconfig = cluster.kubeconfig(folder)
    return ["exec", "--kubeconfig", kubeconfig, "--namespace", "doctors", "--image", "x", "--", *command]


def test_output_and_exit_code_are_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with dns_cluster() as cluster, kubelet(cluster, programs=("sh",)):
        cluster.rights |= RIGHTS
        assert main(arguments(cluster, tmp_path, "sh", "-c", "echo said; echo complained >&2; exit 3")) == 3
        assert cluster.api.asked("delete", "pods")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("said\n", "complained\n")


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with dns_cluster() as cluster, kubelet(cluster, programs=()):
        cluster.rights |= RIGHTS
        with pytest.raises(ConfigError, match="error executing command"):
            main(arguments(cluster, tmp_path, "dig"))


def test_without_the_right_the_rule_is_named(tmp_path: Path) -> None:
    rule = r"resourceNames: \[kubesonar-dns-helper\], verbs: \[get, delete\]"
    with dns_cluster() as cluster, pytest.raises(ConfigError, match=rule):
        main(arguments(cluster, tmp_path, "dig"))
