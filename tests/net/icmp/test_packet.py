from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.net.icmp.packet import (
    ERRORS,
    REPLY,
    EchoReply,
    IcmpError,
    checksum,
    read_packet,
    request,
    without_ip_header,
)

ADDRESS = {4: "192.0.2.7", 6: "2001:db8::7"}


def _error(family: int, kind: int, code: int, identifier: int) -> bytes:
    destination = socket.inet_pton(socket.AF_INET if family == 4 else socket.AF_INET6, ADDRESS[family])
    header = bytes(16) + destination if family == 4 else bytes(24) + destination
    return bytes([kind, code, 0, 0, 0, 0, 0, 0]) + header + request(family, identifier, 9, b"payload")


def test_the_example_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == ~0xDDF2 & 0xFFFF


def test_a_request_with_its_checksum_sums_to_nothing() -> None:
    assert checksum(request(4, 1, 2, b"odd")) in (0, 0xFFFF)


@pytest.mark.parametrize("family", [4, 6])
def test_a_reply_to_us_and_one_to_another(family: int) -> None:
    reply = bytes([REPLY[family]]) + request(family, 7, 9, b"payload")[1:]
    assert read_packet(family, reply, 7) == EchoReply(9, b"payload")
    assert read_packet(family, reply, 8) is None


@pytest.mark.parametrize(("family", "kind"), [(family, kind) for family in (4, 6) for kind in ERRORS[family]])
def test_an_error_names_the_request_that_it_is_about(family: int, kind: int) -> None:
    found = read_packet(family, _error(family, kind, 1, 7), 7)
    assert isinstance(found, IcmpError)
    assert (found.sequence, found.destination, found.too_big) == (9, ADDRESS[family], kind == 2)
    assert read_packet(family, _error(family, kind, 1, 8), 7) is None


def test_fragmentation_needed_is_too_big() -> None:
    found = read_packet(4, _error(4, 3, 4, 7), 7)
    assert isinstance(found, IcmpError)
    assert found.too_big


def test_our_own_request_seen_on_loopback_is_no_answer() -> None:
    assert read_packet(4, request(4, 7, 9, b""), 7) is None


@given(st.sampled_from([4, 6]), st.binary(max_size=120))
def test_anything_may_come_in(family: int, data: bytes) -> None:
    read_packet(family, data, 7)
    without_ip_header(data)
