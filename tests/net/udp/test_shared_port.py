"""One port, two sockets: the kernel tells members' datagrams from others."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from kubesonar.core.wire import codec
from kubesonar.core.wire.codec import Sender
from kubesonar.core.wire.keyring import Keyring
from kubesonar.net.udp.shared_port import share_port, sort_by_cookie
from tests.net.rig import ANSWERER, ASKER

KEYS = Keyring({7: bytes(range(32)), 1: bytes(16), 255: bytes(range(16)), 2: b"k" * 20}, 1)
SENDER = Sender(ASKER, 1)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=["127.0.0.1", "::1", "0.0.0.0", "::"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as first, socket.socket(family, socket.SOCK_DGRAM) as second:
        first.bind((request.param, 0))
        share_port(first, second, request.param, KEYS)
        yield first, second


def went_to(pair: Pair, data: bytes) -> int:
    """Index of the socket that a datagram came to."""
    address, port = pair[0].getsockname()[:2]
    with socket.socket(pair[0].family, socket.SOCK_DGRAM) as sender:
        sender.sendto(data, ({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address), port))
    came = []
    for endpoint in pair:
        endpoint.setblocking(False)
        try:
            came.append(endpoint.recv(10_000) == data)
        except BlockingIOError:
            came.append(False)
    assert sum(came) == 1
    return came.index(True)


def signed_by(number: int) -> Keyring:
    keys = {7: bytes(range(32)), 1: bytes(16), 255: bytes(range(16)), 2: b"k" * 20}
    return Keyring(keys, number)


@pytest.mark.parametrize("number", [7, 1, 255, 2])
def test_probes_and_messages_with_any_accepted_key_come_first(pair: Pair, number: int) -> None:
    ring = signed_by(number)
    assert went_to(pair, SENDER.probe(ring, 1, 0, 1, 64)) == 0
    assert went_to(pair, SENDER.probe(ring, 1, 255, 256, 1400)) == 0
    assert went_to(pair, SENDER.message(ring, ANSWERER.identity, 5, b"")) == 0
    assert went_to(pair, SENDER.message(ring, ANSWERER.identity, 5, bytes(codec.MAX_MESSAGE))) == 0


def test_all_else_comes_second(pair: Pair) -> None:
    probe, message = SENDER.probe(KEYS, 1, 0, 1, 64), SENDER.message(KEYS, ANSWERER.identity, 5, b"")
    other = Keyring({1: b"x" * 16}, 1)
    for data in (
        b"",
        b"kS",
        probe[:63],
        message[:63],
        b"xx" + probe[2:],
        probe[:3] + b"\x81" + probe[4:],
        probe[:4] + b"\x03" + probe[5:],
        probe[:4] + b"\x07" + probe[5:],
        probe[:46] + bytes(18),
        message[:30] + bytes(2) + message[32:],
        SENDER.probe(other, 1, 0, 1, 64),
        SENDER.message(other, ANSWERER.identity, 5, b""),
        SENDER.probe(Keyring(), 1, 0, 1, 64),
        probe[:64] + bytes(9216),
    ):
        assert went_to(pair, data) == 1, data[:64]


def test_other_keys_sort_otherwise(pair: Pair) -> None:
    fresh = Keyring({3: b"f" * 16}, 3)
    assert went_to(pair, SENDER.probe(fresh, 1, 0, 1, 64)) == 1
    sort_by_cookie(pair[0], fresh)
    assert went_to(pair, SENDER.probe(fresh, 1, 0, 1, 64)) == 0
    assert went_to(pair, SENDER.probe(KEYS, 1, 0, 1, 64)) == 1


def test_without_keys_all_of_the_same_mesh_come_first(pair: Pair) -> None:
    sort_by_cookie(pair[0], Keyring())
    assert went_to(pair, SENDER.probe(Keyring(), 1, 0, 1, 64)) == 0
    assert went_to(pair, SENDER.probe(KEYS, 1, 0, 1, 64)) == 1


def test_a_third_socket_is_refused_the_port(pair: Pair) -> None:
    with socket.socket(pair[0].family, socket.SOCK_DGRAM) as third, pytest.raises(OSError, match="in use"):
        third.bind(pair[0].getsockname())


def test_both_versions_carry_the_cookie(pair: Pair) -> None:
    for version in range(codec.OLDEST, codec.CURRENT + 1):
        assert went_to(pair, SENDER.probe(KEYS, 1, 0, 1, 64, version)) == 0
        assert went_to(pair, SENDER.message(KEYS, ANSWERER.identity, 5, b"", version)) == 0
