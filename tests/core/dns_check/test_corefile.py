"""Corefiles as kubeadm and others write them."""

from __future__ import annotations

import pytest

from kubesonar.core.dns_check.corefile import Corefile, parse

KUBEADM = """.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
}
"""


def test_kubeadms() -> None:
    assert parse(KUBEADM) == Corefile("cluster.local", (), True)


@pytest.mark.parametrize(
    ("targets", "servers"),
    [
        ("10.0.0.2 10.0.0.3", (("10.0.0.2", 53), ("10.0.0.3", 53))),
        ("dns://10.0.0.2:5353", (("10.0.0.2", 5353),)),
        ("[fd00::2]:53 fd00::3", (("fd00::2", 53), ("fd00::3", 53))),
        ("tls://9.9.9.9", ()),
        ("10.0.0.2:0 10.0.0.2:99999 nonsense 10.0.0.2:" + "9" * 5000, ()),
        (" ".join(f"10.0.0.{n}" for n in range(99)), tuple((f"10.0.0.{n}", 53) for n in range(16))),
    ],
)
def test_upstream_servers(targets: str, servers: tuple[tuple[str, int], ...]) -> None:
    assert parse(f". {{\n forward . {targets}\n}}\n").upstreams == servers


def test_what_is_forwarded_for_a_single_zone_is_no_upstream() -> None:
    stub = "corp.example:53 {\n forward . 10.9.9.9\n}\n"
    assert parse(stub + KUBEADM).upstreams == ()
    assert parse(stub + KUBEADM).domain == "cluster.local"


@pytest.mark.parametrize("text", ["", "}}}}", "kubernetes", ". {", "forward . 10.0.0.1", "\0" * 99])
def test_what_is_no_corefile_is_an_empty_one(text: str) -> None:
    assert parse(text) == Corefile()
