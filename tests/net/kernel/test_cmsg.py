"""Control messages as the kernel writes them, whole and cut short."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable

import pytest

from kubesonar.net.kernel import cmsg
from kubesonar.net.kernel.cmsg import Ancillary, NetError, error_in, received_at, sent_stamp, stamps_on

STAMP = (socket.SOL_SOCKET, cmsg.SO_TIMESTAMPING, struct.pack("@6l", 1_700_000_000, 5, 0, 0, 0, 0))
OFFENDER_4 = struct.pack("@HH4s8x", socket.AF_INET, 0, socket.inet_aton("10.0.0.9"))
OFFENDER_6 = struct.pack("@HHI16sI", socket.AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, "fd00::9"), 0)


def error(number: int, origin: int, info: int = 0, data: int = 0, offender: bytes = bytes(16)) -> bytes:
    """A struct sock_extended_err, and the sockaddr behind it."""
    return struct.pack("=IBBBxII", number, origin, 0, 0, info, data) + offender


def v4(data: bytes) -> tuple[int, int, bytes]:
    return socket.IPPROTO_IP, cmsg.IP_RECVERR, data


def v6(data: bytes) -> tuple[int, int, bytes]:
    return socket.IPPROTO_IPV6, cmsg.IPV6_RECVERR, data


def test_a_receive_stamp_is_found_among_others() -> None:
    assert received_at([v4(error(0, cmsg.ORIGIN_STAMP)), STAMP]) == 1_700_000_000_000_000_005


@pytest.mark.parametrize(
    "ancillary",
    [
        [],
        [(socket.IPPROTO_IP, cmsg.SO_TIMESTAMPING, STAMP[2])],
        [(socket.SOL_SOCKET, cmsg.SO_TIMESTAMPING, bytes(48))],
        [(socket.SOL_SOCKET, cmsg.SO_TIMESTAMPING, STAMP[2][:15])],
    ],
    ids=["nothing", "another level", "no stamp taken", "cut short"],
)
def test_where_there_is_none_there_is_none(ancillary: Ancillary) -> None:
    assert received_at(ancillary) is None
    assert sent_stamp([*ancillary, v4(error(errno.ENOMSG, cmsg.ORIGIN_STAMP, data=7))]) is None


@pytest.mark.parametrize("family", [v4, v6])
def test_a_transmit_stamp_says_which_datagram_it_is_of(family: Callable[[bytes], tuple[int, int, bytes]]) -> None:
    number = family(error(errno.ENOMSG, cmsg.ORIGIN_STAMP, data=7))
    assert sent_stamp([STAMP, number]) == (7, 1_700_000_000_000_000_005)
    assert sent_stamp([STAMP]) is None
    assert error_in([STAMP, number]) is None


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (v4(error(errno.ECONNREFUSED, cmsg.ORIGIN_ICMP, 0, 0, OFFENDER_4)), NetError(111, False, "10.0.0.9")),
        (v6(error(errno.EHOSTUNREACH, cmsg.ORIGIN_ICMP6, 0, 0, OFFENDER_6)), NetError(113, False, "fd00::9")),
        (v4(error(errno.EMSGSIZE, cmsg.ORIGIN_LOCAL, 1400)), NetError(90, True, "", 1400)),
        (v4(error(errno.EMSGSIZE, cmsg.ORIGIN_ICMP, 1300, 0, b"")), NetError(90, False, "", 1300)),
        (v6(error(errno.EMSGSIZE, cmsg.ORIGIN_ICMP6, 1280, 0, OFFENDER_6[:20])), NetError(90, False, "", 1280)),
    ],
)
def test_an_error_says_who_reported_it_and_what_would_pass(message: tuple[int, int, bytes], expected: NetError) -> None:
    assert error_in([STAMP, message]) == expected
    assert sent_stamp([STAMP, message]) is None


def test_an_error_that_is_cut_short_or_of_another_kind_is_none() -> None:
    whole = error(errno.ECONNREFUSED, cmsg.ORIGIN_ICMP, 0, 0, OFFENDER_4)
    assert error_in([v4(whole[:15])]) is None
    assert error_in([(socket.IPPROTO_IP, cmsg.IP_PKTINFO, whole)]) is None
    assert error_in([v4(error(errno.ECONNREFUSED, 9))]) is None


def test_a_socket_that_asks_for_stamps_gets_them() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        near.settimeout(5)
        near.bind(("127.0.0.1", 0))
        stamps_on(near, cmsg.RX_STAMPS)
        far.sendto(b"x", near.getsockname())
        _, ancillary, _, _ = near.recvmsg(10, cmsg.ANCILLARY)
        assert received_at(ancillary) is not None


def test_what_takes_no_stamps_is_used_without() -> None:
    near, far = socket.socketpair()
    near.close()
    with far:
        stamps_on(near, cmsg.RX_STAMPS)
