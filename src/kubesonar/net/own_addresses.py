"""Which addresses are this machine's own."""

from __future__ import annotations

import socket

_DISCARD = 9


def is_own(address: str) -> bool:
    """Whether an IP literal is an address of this network namespace: the kernel gives a way to an own address that
    address as its source. Nothing is sent. (Trying to bind tells less: net.ipv4.ip_nonlocal_bind lets any be bound.)"""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        wanted = socket.inet_pton(family, address)
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, _DISCARD))
            return wanted == socket.inet_pton(family, probe.getsockname()[0])
    except (OSError, ValueError):  # ValueError: a NUL within
        return False
