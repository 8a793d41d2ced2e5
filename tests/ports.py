"""Ports for servers of tests."""

from __future__ import annotations

import random
import socket

_GIVEN: set[int] = set()
"""Ports that were given out: who asks for several binds none of them at once."""


def free_port(*addresses: str) -> int:
    """A port that is free by TCP and UDP on these addresses (127.0.0.1 unless named) just now, that nobody in this
    process was given before, and that no client takes by chance before the server does: below those that the kernel
    hands out (net.ipv4.ip_local_port_range)."""
    while True:
        port = random.randrange(15_000, 32_000)
        if port in _GIVEN:
            continue
        try:
            for address in addresses or ("127.0.0.1",):
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    with socket.socket(family, kind) as trial:
                        trial.bind((address, port))
        except OSError:
            continue
        _GIVEN.add(port)
        return port
