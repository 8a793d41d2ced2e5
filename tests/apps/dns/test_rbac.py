"""The printed rights: valid for every version of Kubernetes that is meant, and no more than what is used."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from kubesonar.apps.dns import main
from kubesonar.apps.dns.look_options import VANTAGES
from kubesonar.config import ConfigError


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["rbac", *arguments]) == 0
    return list(yaml.safe_load_all(capsys.readouterr().out))


def rules(documents: list[dict[str, Any]]) -> set[tuple[str, str, str, str]]:
    """Namespace, resource, verb and names of everything that is granted."""
    return {
        (one["metadata"].get("namespace", ""), resource, verb, ",".join(rule.get("resourceNames", ())))
        for one in documents
        for rule in one.get("rules", ())
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.parametrize("vantage", VANTAGES)
def test_manifests_are_valid_from_1_28_to_1_36(vantage: int, capsys: pytest.CaptureFixture[str]) -> None:
    import kubernetes_validate

    documents = printed(capsys, "--vantage", str(vantage))
    for document in documents:
        for minor in ("1.28", "1.36"):
            kubernetes_validate.validate(document, minor, strict=True)
    roles = [(one["kind"], one["metadata"]) for one in documents if one["kind"].endswith("Role")]
    bound = [(one["roleRef"]["kind"], one["metadata"]) for one in documents if one["kind"].endswith("Binding")]
    assert roles == bound


@pytest.mark.parametrize("vantage", VANTAGES)
def test_nothing_may_be_changed_outside_the_own_namespace(vantage: int, capsys: pytest.CaptureFixture[str]) -> None:
    granted = rules(printed(capsys, "--vantage", str(vantage), "--namespace", "doctors"))
    changing = {(place, resource) for place, resource, verb, _ in granted if verb not in ("get", "list")}
    assert {place for place, resource in changing if resource != "pods/portforward"} <= {"doctors"}
    assert ("kube-system", "services", "list", "") in granted


def test_standpoint_1_needs_to_read_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert rules(printed(capsys, "--vantage", "1")) == {
        ("kube-system", "services", "list", ""),
        ("kube-system", "endpointslices", "list", ""),
        ("kube-system", "configmaps", "get", "coredns"),
        ("kube-system", "pods", "list", ""),
        ("default", "services", "get", "kubernetes"),
    }


def test_another_service(capsys: pytest.CaptureFixture[str]) -> None:
    granted = rules(printed(capsys, "--vantage", "1", "--service", "dns/rke2"))
    assert ("dns", "services", "list", "") in granted


def test_wrong_arguments() -> None:
    for arguments in ([], ["--vantage", "0"], ["--vantage", "1", "--namespace", "A_B"]):
        with pytest.raises(ConfigError):
            main(["rbac", *arguments])


def test_restarts_need_no_more_than_evictions_one_lease_and_events(capsys: pytest.CaptureFixture[str]) -> None:
    granted = rules(printed(capsys, "--vantage", "1", "--repair"))
    assert {one for one in granted if one[2] not in ("list", "get")} == {
        ("kube-system", "pods/eviction", "create", ""),
        ("kube-system", "leases", "create", ""),
        ("kube-system", "leases", "patch", "kubesonar-dns-doctor"),
        ("kube-system", "events", "create", ""),
    }
    assert {resource for place, resource, _, _ in granted if not place} == {"nodes", "daemonsets"}
