"""IP addresses: which texts are some, and whose they may be."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.core.address import (
    bracketed,
    canonical_address,
    family_of,
    is_in,
    is_literal,
    is_unicast,
    of_family,
    one_of_each_family,
    packed_address,
    parse_network,
    read_port,
    unicast,
    unpacked_address,
    url_host,
)


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("1", 1),
        ("00053", 53),
        ("65535", 65535),
        ("65536", 0),
        ("0", 0),
        ("", 0),
        ("-1", 0),
        (" 53", 0),
        ("5_3", 0),
        ("٥٣", 0),
        ("000053", 53),
        ("0000000053", 0),
        ("9" * 5000, 0),
    ],
)
def test_ports(text: str, port: int) -> None:
    assert read_port(text) == port


@pytest.mark.parametrize(
    ("host", "literal"),
    [
        ("1.2.3.4", True),
        ("::", True),
        ("fe80::1%eth0", True),
        ("::ffff:1.2.3.4", True),
        ("1.2.3", False),
        ("01.2.3.4", False),
        ("1.2.3.4\n", False),
        ("a::g", False),
        ("[::1]", False),
        ("x\0", False),
        ("", False),
        ("\u0661.2.3.4", False),
        ("::1%" + "x" * 100, False),
    ],
)
def test_literals_are_told_from_names(host: str, literal: bool) -> None:
    assert is_literal(host) is literal


@given(st.ip_addresses())
def test_spelling_and_bytes_are_the_kernels(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    assert packed_address(address.exploded) == socket.inet_pton(family, address.exploded)
    assert packed_address(unpacked_address(address.packed)) == address.packed
    assert canonical_address(address.exploded) == str(address)
    assert family_of(str(address)) == address.version


def test_a_zone_is_no_part_of_the_bytes() -> None:
    assert packed_address("fe80::1%eth0") == packed_address("fe80:0::1")
    assert canonical_address("FE80::0:1%eth0") == "fe80::1"


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("10.0.0.1", True),
        ("fd00::1", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:10.0.0.1", True),
        ("0.0.0.0", False),
        ("0.1.2.3", False),
        ("::", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("ff02::1", False),
        ("169.254.169.254", False),
        ("fe80::1", False),
        ("febf::1", False),
        ("::ffff:169.254.169.254", False),
        ("::ffff:0.0.0.0", False),
        ("fd00::1%eth0", False),
        ("node-1", False),
    ],
)
def test_an_address_that_one_machine_may_have(address: str, wanted: bool) -> None:
    assert is_unicast(address) is wanted


def test_choices() -> None:
    found = ("x", "10.0.0.1", "10.0.0.1", "fd00::1", "10.0.0.2")
    assert unicast(found) == ("10.0.0.1", "fd00::1", "10.0.0.2")
    assert one_of_each_family(found) == ("10.0.0.1", "fd00::1")
    assert (of_family(found[1:], 6), of_family(["10.0.0.1"], 6)) == ("fd00::1", None)
    assert [bracketed(host) for host in ("::1", "[::1]", "1.2.3.4", "a")] == ["[::1]", "[::1]", "1.2.3.4", "a"]


@pytest.mark.parametrize(
    ("address", "network", "wanted"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.9.9.9/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("::ffff:10.1.2.3", "10.0.0.0/8", True),
        ("fd00::1%eth0", "fd00::/8", True),
        ("fd00::1", "0.0.0.0/0", False),
        ("10.0.0.1", "10.0.0.1", True),
    ],
)
def test_networks(address: str, network: str, wanted: bool) -> None:
    assert is_in(address, parse_network(network)) is wanted


@pytest.mark.parametrize("text", ["", "10.0.0.0/33", "fd00::/129", "10.0.0/8", "example/8", "10.0.0.0/-1", "10.0.0.0/"])
def test_texts_that_are_no_network(text: str) -> None:
    with pytest.raises(ValueError):
        parse_network(text)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://shop.example.com:8443/x", "shop.example.com"),
        ("http://10.0.0.1/", "10.0.0.1"),
        ("https://[fd00::1]:443/", "fd00::1"),
        ("x.test A udp", ""),
        ("", ""),
    ],
)
def test_the_host_of_a_url(url: str, host: str) -> None:
    assert url_host(url) == host
