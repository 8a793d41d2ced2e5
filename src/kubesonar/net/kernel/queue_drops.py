"""Reads how much the kernel dropped of what came to a socket of ours, because we did not take it in time."""

from __future__ import annotations

import socket
from struct import Struct as Layout

_SO_MEMINFO = 55  # include/uapi/asm-generic/socket.h
_DROPS = Layout("=32xI")  # include/uapi/linux/sock_diag.h: SK_MEMINFO_DROPS is the ninth


def queue_drops(endpoint: socket.socket) -> int:
    """Return how many datagrams (segments, for one that listens) the kernel has dropped at this socket so far, modulo
    2**32: its buffer was full, or a checksum was wrong. 0 where the kernel does not tell (gVisor)."""
    try:
        dropped: int = _DROPS.unpack(endpoint.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _DROPS.size))[0]
    except OSError:
        return 0
    return dropped
