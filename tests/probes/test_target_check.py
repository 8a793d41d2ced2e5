"""Targets that cannot be asked are refused at the start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kubesonar.config import ConfigError
from kubesonar.core.probing.cluster_options import ClusterOptions
from kubesonar.core.probing.plan import Target, of_target
from kubesonar.model import Kind
from kubesonar.model import Path as Way
from kubesonar.probes.target_check import refuse_bad, refuse_bad_cluster


def dns(
    name: str = "dns-1", address: str = "10.0.0.53", request: str = "a.b A", expect: str = "", family: int = 0
) -> Target:
    return Target(
        name=name, kind=Kind.DNS, path=Way.DNS_POD, address=address, request=request, expect=expect, family=family
    )


def http(request: str = "http://10.0.0.1/", expect: str = "", family: int = 0) -> Target:
    return Target(name="web", kind=Kind.HTTP, path=Way.INGRESS, request=request, expect=expect, family=family)


GOOD = (dns(), dns(request="a.b A tcp"), http(expect="200-399"))


def test_good_ones_pass() -> None:
    refuse_bad(GOOD)
    both = http("http://dual.example/", family=4), http("http://dual.example/", family=6)
    refuse_bad((*both, http("http://[fd00::1]/")))
    asked = [of_target(dns(request=f"a.b A{word}")).id for word in ("", " udp", " tcp", " large")]
    assert [name.rpartition("/")[2] for name in asked] == ["udp", "udp", "tcp", "large"]
    assert [of_target(one).id for one in both] == ["http/ingress/web/v4", "http/ingress/web/v6"]
    with pytest.raises(ValueError, match="family is 4 or 6, or 0 for either"):
        http(family=5)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (dns("x", request="a.b"), r"targets\[3\]\.request: a DNS request is"),
        (dns("x", request="a.b ANYTHING"), r"targets\[3\]\.request"),
        (dns("x", request=f"{'a' * 64}.b A"), r"targets\[3\]\.request"),
        (dns("x", expect="FINE"), r"targets\[3\]\.expect: a DNS check expects"),
        (dns("x", address="dns.example"), r"targets\[3\]\.address: a DNS server is an IP address"),
        (http("ftp://10.0.0.1/"), r"targets\[3\]\.request: a URL is"),
        (http(""), r"targets\[3\]\.request: a URL is"),
        (http(expect="2xx"), r"targets\[3\]\.expect: an HTTP check expects"),
        (http(expect="299-200"), r"targets\[3\]\.expect"),
        (dns("x", family=6), r"targets\[3\]\.family: got 6, expected that of 10\.0\.0\.53 \(4\), or 0"),
        (http("http://[fd00::1]/", family=4), r"targets\[3\]\.family: got 4"),
        (dns(), r'targets\[3\]\.name: got "dns-1", which targets\[0\] of the same kind and path has'),
    ],
)
def test_bad_ones_are_refused_by_field(target: Target, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        refuse_bad((*GOOD, target))


def test_the_agent_ends_with_code_2_and_one_sentence(tmp_path: Path) -> None:
    tree = {"targets": [{"name": "d", "kind": "dns", "path": "dns_pod", "address": "10.0.0.53", "request": "a.b"}]}
    (tmp_path / "config.json").write_text(json.dumps(tree))
    done = subprocess.run(
        [sys.executable, "-m", "kubesonar", "agent", "--config", str(tmp_path / "config.json")],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={key: value for key, value in os.environ.items() if not key.startswith("KUBESONAR_")},
    )
    assert done.returncode == 2
    assert done.stderr.startswith("kubesonar agent: targets[0].request: ")
    assert done.stderr.splitlines()[1:] == ["kubesonar agent --help shows more"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"service": {"url": "ftp://x/"}}, "cluster.service.url: a URL is"),
        ({"service": {"expect": "ok"}}, "cluster.service.expect: an HTTP check expects"),
        ({"ingress": {"url": "sonar.example.com"}}, "cluster.ingress.url: a URL is"),
        ({"ingress": {"expect": "2xx"}}, "cluster.ingress.expect"),
        ({"dns": {"question": "a.b"}}, 'cluster.dns.question: a question is "NAME TYPE"'),
        ({"dns": {"question": "a.b A udp"}}, "cluster.dns.question: a question is"),
        ({"dns": {"question": "a.b ANYTHING"}}, "cluster.dns.question: a DNS request is"),
        ({"dns": {"large": "a.b A large"}}, "cluster.dns.large: a question is"),
        ({"dns": {"large": "a.b"}}, 'cluster.dns.large: a question is "NAME TYPE"'),
        ({"dns": {"expect": "FINE"}}, "cluster.dns.expect: a DNS check expects"),
        ({"dns": {"address": ["10.96.0.10", "dns"]}}, r"cluster.dns.address\[1\]: a DNS server is an IP address"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_field(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        refuse_bad_cluster(msgspec.convert(options, ClusterOptions))


def test_defaults_can_be_asked() -> None:
    refuse_bad_cluster(ClusterOptions())
