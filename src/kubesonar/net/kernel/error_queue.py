"""The error queue of one socket: the kernel's transmit stamps of what was sent, and what failed on the way."""

from __future__ import annotations

import socket
from typing import Generic, TypeVar

import msgspec

from kubesonar.net.kernel import cmsg

Item = TypeVar("Item")

_QUOTE = 64
"""Bytes read of the datagram that an error quotes: enough for the headers that tell which one it was."""


class TransmitStamp(msgspec.Struct, Generic[Item], frozen=True):
    """The time at which the kernel sent `item`, in ns of the wall clock."""

    item: Item
    at: int


class QueuedError(msgspec.Struct, frozen=True):
    """An error, with the beginning of the datagram that it quotes and that datagram's destination."""

    error: cmsg.NetError
    quote: bytes
    peer: tuple[str, int] | None


class ErrorQueue(Generic[Item]):
    """Tells which of the items that were sent a stamp or an error is about.

    The kernel numbers what the socket sends (OPT_ID, from 0). At most `limit` items wait for their stamp; beyond, the
    oldest is forgotten. `stamped`: the kernel stamps what the socket receives. Raises OSError.
    """

    def __init__(self, endpoint: socket.socket, limit: int) -> None:
        self._socket = endpoint
        self._limit = limit
        self._waiting: dict[int, Item] = {}
        self._next = 0
        self.restart()

    def restart(self) -> None:
        """Count from 0 again: after a failed send it is unknown whether the kernel counted it."""
        self.stamped = cmsg.stamps_on(self._socket, cmsg.RX_STAMPS)
        cmsg.stamps_on(self._socket, cmsg.BOTH_STAMPS)
        self._waiting.clear()
        self._next = 0

    def sent(self, item: Item) -> None:
        """Record the item that the kernel took just now."""
        self._waiting[self._next] = item
        self._next = self._next + 1 & 0xFFFFFFFF
        if len(self._waiting) > self._limit:
            del self._waiting[next(iter(self._waiting))]

    def read(self) -> TransmitStamp[Item] | QueuedError | None:
        """Return the next stamp of a known item, or the next error; None where the queue holds no more."""
        while True:
            try:
                quote, ancillary, _, peer = self._socket.recvmsg(_QUOTE, cmsg.ANCILLARY, socket.MSG_ERRQUEUE)
            except OSError:
                return None
            if (stamp := cmsg.sent_stamp(ancillary)) is not None:
                if (item := self._waiting.pop(stamp[0], None)) is not None:
                    return TransmitStamp(item, stamp[1])
            elif (error := cmsg.error_in(ancillary)) is not None:
                return QueuedError(error, quote, peer[:2] if peer else None)
