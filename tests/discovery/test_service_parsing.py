"""What Services and EndpointSlices hold."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubesonar.core.probing.cluster_facts import DnsPod, ServiceEndpoint
from kubesonar.discovery.service_parsing import dns_pods, service_endpoints, vips
from kubesonar.kube.types import EndpointSlice, Service
from tests.discovery.service_objects import service, slice_


def read(*trees: dict[str, Any]) -> list[EndpointSlice]:
    return [msgspec.convert(tree, EndpointSlice) for tree in trees]


def test_pods_of_both_families_with_their_ports() -> None:
    v6 = slice_("kube-dns-b", "fd00::2") | {"addressType": "IPv6"}
    assert dns_pods(read(slice_("a", "10.0.0.2", "10.0.0.3"), v6)) == (
        DnsPod("coredns-2", "10.0.0.2", 1053, 1053),
        DnsPod("coredns-2", "fd00::2", 1053, 1053),
        DnsPod("coredns-3", "10.0.0.3", 1053, 1053),
    )


@pytest.mark.parametrize(
    ("conditions", "asked"),
    [
        ({"ready": None, "serving": None, "terminating": None}, True),
        ({"ready": False, "serving": True}, False),
        ({"ready": True, "terminating": True}, False),
    ],
)
def test_only_pods_in_rotation(conditions: dict[str, bool | None], asked: bool) -> None:
    assert bool(dns_pods(read(slice_("a", "10.0.0.2", **conditions)))) is asked


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1", "::", "dns.example", "10.0.0.1; rm", ""])
def test_what_is_no_pods_address_is_not_asked(address: str) -> None:
    tree = slice_("a", "10.0.0.2")
    tree["endpoints"][0]["addresses"] = [address]
    assert dns_pods(read(tree)) == ()


def test_a_pod_with_a_name_that_is_none_goes_by_its_address() -> None:
    tree = slice_("a", "10.0.0.2")
    tree["endpoints"][0]["targetRef"]["name"] = "\x1b[31mred"
    assert dns_pods(read(tree))[0].name == "10.0.0.2"


def test_ports_that_are_missing_or_impossible_are_not_asked() -> None:
    tree = slice_("a", "10.0.0.2") | {"ports": [{"port": 70_000, "protocol": "UDP"}, {"port": None, "protocol": "TCP"}]}
    assert dns_pods(read(tree)) == (DnsPod("coredns-2", "10.0.0.2", 0, 0),)
    assert dns_pods(read(tree | {"ports": None}))[0].udp == 0


def test_addresses_of_services() -> None:
    dual = msgspec.convert(service("kube-dns", "10.96.0.10", "fd00:96::a"), Service)
    assert vips([dual]) == ("10.96.0.10", "fd00:96::a")
    assert service_endpoints([dual]) == (ServiceEndpoint("10.96.0.10", 53), ServiceEndpoint("fd00:96::a", 53))
    headless = msgspec.convert(service("kube-dns", "None"), Service)
    assert not vips([headless])
    assert not service_endpoints([headless])
