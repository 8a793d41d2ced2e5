"""For all tests: no deadline on examples, because a busy machine is no failure; a kernel that stamps from the start."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from hypothesis import settings

from kubesonar.net import cmsg

settings.register_profile("kubesonar", deadline=None)
settings.load_profile("kubesonar")


@pytest.fixture(autouse=True, scope="session")
def stamping() -> Iterator[None]:
    """Holds a socket open that asks for kernel stamps: the kernel begins to stamp what it receives only a moment after
    the machine's first socket asks for it (net_enable_timestamp in net/core/dev.c defers its static key)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.setsockopt(socket.SOL_SOCKET, cmsg.SO_TIMESTAMPING, cmsg.RX_STAMPS)
        time.sleep(0.1)
        yield
