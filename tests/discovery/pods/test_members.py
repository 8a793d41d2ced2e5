"""What pods and nodes make of members: addresses, networks, zones, and states with reasons."""

from __future__ import annotations

import pytest

from kubesonar.model import Member, Network
from tests.discovery.objects import node, pod
from tests.discovery.placed import DELETED, only, placed


def test_a_pod_is_a_member_of_both_families_in_its_zone() -> None:
    assert only(pod(ips=("10.0.0.1", "fd00::1"))) == Member("a", "n1", ("10.0.0.1", "fd00::1"), 7473, zone="z1")


def test_in_the_host_network_the_name_is_the_pods_and_the_addresses_are_the_hosts() -> None:
    status = {"hostIP": "192.0.2.1", "hostIPs": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}]}
    member = only(pod(ips=("192.0.2.1",), spec={"hostNetwork": True}, status=status))
    assert (member.name, member.network) == ("a", Network.HOST)
    assert member.addresses == ("192.0.2.1", "2001:db8::1")


def test_of_a_pod_with_thousands_of_addresses_one_of_each_family_is_asked() -> None:
    many = (*(f"10.0.{n // 256}.{n % 256}" for n in range(1, 4000)), "evil.example", "fd00::1", "fd00::2")
    assert only(pod(ips=many)).addresses == ("10.0.0.1", "fd00::1")


def test_a_pod_in_the_pod_network_never_has_its_hosts_addresses() -> None:
    assert only(pod(ips=())).addresses == ()


def test_members_are_in_the_order_of_their_names() -> None:
    names = [member.name for member in placed(pod("b", ips=("10.0.0.2",)), pod("a")).members]
    assert names == ["a", "b"]


@pytest.mark.parametrize("text", ["0", "65536", "-1", "7473 ", "", "x", "٣", "9" * 5000])
def test_a_port_label_that_is_no_port_leaves_the_pod_out_with_a_reason(text: str) -> None:
    found = placed(pod(meta={"labels": {"kubesonar.io/port": text}}))
    assert found.members == ()
    assert "expected a port from 1 to 65535" in found.odd["a"]
    assert len(found.odd["a"]) < 120


def test_pods_of_another_selector_have_the_port_that_was_configured() -> None:
    assert only(pod(meta={"labels": {}}), port=9000).port == 9000


@pytest.mark.parametrize("name", ["", "a\x1b[31m", "a\nb"])
def test_names_that_cannot_be_shown_are_left_out(name: str) -> None:
    assert placed(pod(name)).members == ()
    assert list(placed(pod(name)).odd) == [name]


@pytest.mark.parametrize(
    "address",
    [
        *("", "0.0.0.0", "224.0.0.1", "::", "ff02::1", "10.0.0.256", "localhost"),
        *("169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "::ffff:0.0.0.0"),
    ],
)
def test_addresses_that_are_no_machines_are_left_out(address: str) -> None:
    assert only(pod(ips=(address, "10.0.0.9"))).addresses == ("10.0.0.9",)


def test_a_zone_that_cannot_be_shown_is_unknown() -> None:
    assert only(pod(), nodes=(node(zone="z\x00"),)).zone == ""


def test_a_pod_without_a_node_is_no_member_yet() -> None:
    found = placed(pod(node="", ips=(), ready=False, status={"phase": "Pending"}))
    assert (found.members, found.odd) == ((), {})


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_pod_that_has_run_to_its_end_is_no_member_and_it_is_said_why(phase: str) -> None:
    found = placed(pod(status={"phase": phase, "reason": "Evicted"}))
    assert found.members == ()
    assert found.over["a"].endswith(": Evicted")


@pytest.mark.parametrize("reverse", [False, True])
def test_an_address_is_the_successors_and_not_that_of_the_pod_that_is_going(reverse: bool) -> None:
    going = pod("old", spec={"hostNetwork": True}, meta=DELETED)
    young = pod("new", spec={"hostNetwork": True}, meta={"creationTimestamp": "2026-11-21T08:30:00Z"})
    new, old = placed(*((young, going) if reverse else (going, young))).members
    assert (new.addresses, old.addresses) == (("10.0.0.1",), ())
