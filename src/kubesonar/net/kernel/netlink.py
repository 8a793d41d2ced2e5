"""Questions to the kernel's routing tables and interfaces, and its answers (rtnetlink(7))."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

_DONE, _ERROR = 3, 2  # NLMSG_DONE, NLMSG_ERROR (linux/netlink.h)
_REQUEST, _DUMP = 0x1, 0x301  # NLM_F_REQUEST, NLM_F_REQUEST | NLM_F_DUMP (linux/netlink.h)
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_SIZE = 65_536
"""Most bytes of one datagram of the kernel, which sends at most 32 KiB. Lower, and an answer is cut off."""


def dumped(kind: int, body: bytes) -> Iterator[bytes]:
    """Yield the bodies of all messages that answer a dump of that kind (RTM_GET…). Raises OSError."""
    with _asked(kind, _DUMP, body) as kernel:
        while True:
            for answer, found in _messages(kernel.recv(_SIZE)):
                if answer == _DONE:
                    return
                yield found


def answered(kind: int, body: bytes) -> bytes:
    """Return the body of the one message that answers a question of that kind (RTM_GET…), empty where there is none.
    Raises OSError."""
    with _asked(kind, _REQUEST, body) as kernel:
        return next((found for _, found in _messages(kernel.recv(_SIZE))), b"")


def attributes(data: bytes) -> dict[int, bytes]:
    """Return the attributes in these bytes by their number; of two with one number the last."""
    found: dict[int, bytes] = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        length = max(length, _ATTRIBUTE.size)
        found[kind] = data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]
    return found


def attribute(kind: int, value: bytes) -> bytes:
    """Return an attribute of a question."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(_aligned(length) - length)


def _asked(kind: int, flags: int, body: bytes) -> socket.socket:
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    try:
        kernel.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)
    except OSError:
        kernel.close()
        raise
    return kernel


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and body of each message of a datagram. Raises OSError where one says that the question failed."""
    while len(data) >= _HEADER.size:
        length, kind, _, _, _ = _HEADER.unpack_from(data)
        length = max(length, _HEADER.size)
        body = data[_HEADER.size : length]
        if kind == _ERROR:
            number = -struct.unpack_from("=i", body)[0]
            raise OSError(number, os.strerror(number))
        yield kind, body
        data = data[_aligned(length) :]


def _aligned(length: int) -> int:
    return (length + 3) & ~3
