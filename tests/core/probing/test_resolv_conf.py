"""resolv.conf, as kubelets and others write it."""

from __future__ import annotations

import pytest

from kubesonar.core.probing.resolv_conf import ResolvConf, parse, tried_names

POD = """search shop.svc.cluster.local svc.cluster.local cluster.local example.com
nameserver 10.96.0.10
options ndots:5
"""


def test_a_pods() -> None:
    read = parse(POD)
    assert read.nameservers == ("10.96.0.10",)
    assert read.search == ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.com")
    assert read.domain == "cluster.local"


@pytest.mark.parametrize(
    ("search", "domain"),
    [
        ("shop.svc.k8s.example.org. svc.k8s.example.org k8s.example.org", "k8s.example.org"),
        ("svc.corp", "corp"),
        ("SHOP.SVC.Cluster.Local", "cluster.local"),
        ("example.com", ""),
        ("host.with.svc.in.its.name", ""),
        ("shop.svc", ""),
        ("", ""),
    ],
)
def test_the_clusters_domain(search: str, domain: str) -> None:
    assert parse(f"search {search}\nnameserver 10.0.0.1\n").domain == domain


def test_a_nodes_is_no_clusters() -> None:
    assert parse("# made by hand\nnameserver 127.0.0.53\noptions edns0\nsearch .\n") == ResolvConf(("127.0.0.53",), ())


def test_what_is_hostile_is_passed_over() -> None:
    read = parse("nameserver\nsearch a\x00b ok.example ..\n" + "nameserver 10.0.0.1\n" * 100 + "nameserver fd00::1\n")
    assert read == ResolvConf(("10.0.0.1", "fd00::1"), ("ok.example",))


def test_the_last_search_line_counts() -> None:
    assert parse("search a.example\ndomain b.example\n").search == ("b.example",)


@pytest.mark.parametrize(
    ("options", "ndots"),
    [("ndots:5", 5), ("edns0 ndots:2 timeout:1", 2), ("ndots:99", 15), ("ndots:x", 1), ("ndots:", 1), ("", 1)],
)
def test_ndots(options: str, ndots: int) -> None:
    assert parse(f"options {options}\n").ndots == ndots


@pytest.mark.parametrize(
    ("name", "count"), [("example.com", 5), ("a.b.c.d.e.example", 1), ("example.com.", 1), ("db", 5)]
)
def test_names_that_a_look_up_tries(name: str, count: int) -> None:
    assert tried_names(parse(POD), name) == count
