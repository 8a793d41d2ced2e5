"""Keeps members' datagrams apart from all others of the same port, before any is read.

A flood fills the receive buffer of the socket that it comes to, and who has to read it to know what it is reads it to
its own cost. So a port has two sockets (SO_REUSEPORT), and a program that the kernel runs chooses between them by the
cookie that members' datagrams carry: what has none cannot fill the buffer of what has one, and can be left unread.
"""

from __future__ import annotations

import socket

from kubesonar.core.wire import codec
from kubesonar.core.wire.codec import DatagramType
from kubesonar.core.wire.keyring import Keyring
from kubesonar.net.kernel import bpf

_LENGTH, _HALF, _BYTE = 0x80, 0x28, 0x30  # load; codes of include/uapi/linux/bpf_common.h
_EQUAL, _GREATER, _AT_LEAST, _JUMP = 0x15, 0x25, 0x35, 0x05
_TO_X, _SHIFT_LEFT, _OR_X, _RETURN = 0x07, 0x64, 0x4C, 0x06

_MEMBERS, _OTHERS = 0, 1
"""Indices of the sockets: their order of joining the port."""


def share_port(first: socket.socket, second: socket.socket, address: str, ring: Keyring) -> None:
    """Bind `second` to the port of `first`, which is bound to `address`, and leave to it all datagrams without a cookie
    of `ring`.

    Until then `first` holds the port alone, so that another process that asks for it is refused. Raises OSError where
    the kernel cannot share a port so (before Linux 4.5, gVisor).
    """
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    second.bind((address, first.getsockname()[1]))
    sort_by_cookie(first, ring)


def sort_by_cookie(first: socket.socket, ring: Keyring) -> None:
    """Sort by the cookies of this ring from now on. Raises OSError."""
    bpf.attach(first, bpf.SO_ATTACH_REUSEPORT_CBPF, sorting_program(ring))


def sorting_program(ring: Keyring) -> bytes:
    """Return the program that says 0 for a datagram with the cookie of its key id, 1 for any other. Offsets count from
    the UDP payload; a load beyond its end would say 0, so the length comes first."""
    known = [(number << 16) | int.from_bytes(cookie) for number, cookie in ring.cookies.items()]
    checks: list[bpf.Instruction] = [
        (_LENGTH, 0, 0, 0),
        (_AT_LEAST, 0, 1, codec.MIN_REQUEST),
        (_GREATER, 0, 1, codec.MAX_DATAGRAM),
        (_RETURN, 0, 0, _OTHERS),
        (_HALF, 0, 0, 0),
        (_EQUAL, 1, 0, int.from_bytes(codec.MAGIC)),
        (_RETURN, 0, 0, _OTHERS),
        (_BYTE, 0, 0, 3),
        (_EQUAL, 4, 0, DatagramType.PROBE),
        (_EQUAL, 1, 0, DatagramType.MESSAGE),
        (_RETURN, 0, 0, _OTHERS),
        (_HALF, 0, 0, codec.MESSAGE_COOKIE_AT),
        (_JUMP, 0, 0, 1),
        (_HALF, 0, 0, codec.PROBE_COOKIE_AT),
        (_TO_X, 0, 0, 0),
        (_BYTE, 0, 0, 4),
        (_SHIFT_LEFT, 0, 0, 16),
        (_OR_X, 0, 0, 0),
    ]
    keys = [(_EQUAL, len(known) - at, 0, word) for at, word in enumerate(known)]
    return bpf.assemble([*checks, *keys, (_RETURN, 0, 0, _OTHERS), (_RETURN, 0, 0, _MEMBERS)])
