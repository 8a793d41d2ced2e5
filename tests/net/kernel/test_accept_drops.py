"""Connections that nobody accepted, and segments that came again because the network lost what answered them."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path

import pytest

from kubesonar.net.kernel.accept_drops import AcceptDrops
from kubesonar.net.kernel.queue_drops import queue_drops

ENOUGH = 4
"""Drops, more than any file here tells of overflows."""


def crowd(listening: socket.socket, asking: contextlib.ExitStack) -> None:
    """More connections than the queue holds, some of which the kernel has dropped at the end."""
    for _ in range(10):
        one = asking.enter_context(socket.socket())
        one.setblocking(False)
        one.connect_ex(listening.getsockname())
    while queue_drops(listening) < ENOUGH:
        time.sleep(0.01)


def test_what_overflows_counts() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listening, contextlib.ExitStack() as asking:
        drops = AcceptDrops()
        assert drops.count([listening]) == 0
        crowd(listening, asking)
        assert drops.count([listening]) > 0


@pytest.mark.parametrize(("before", "after", "least", "most"), [(7, 7, 0, 0), (7, 9, 2, 2), (9, 7, 0, 0)])
def test_of_what_a_socket_drops_as_many_count_as_overflowed(
    tmp_path: Path, before: int, after: int, least: int, most: int
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listening, contextlib.ExitStack() as asking:
        _overflowed(tmp_path, before)
        drops = AcceptDrops(f"{tmp_path}/")
        crowd(listening, asking)
        _overflowed(tmp_path, after)
        assert least <= drops.count([listening]) <= most
        assert least <= drops.count([listening]) <= most


def test_the_kernels_counters_are_read_only_where_something_was_dropped(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listening, contextlib.ExitStack() as asking:
        _overflowed(tmp_path, 7)
        drops = AcceptDrops(f"{tmp_path}/")
        (tmp_path / "proc/net/netstat").unlink()
        assert drops.count([listening]) == 0
        _overflowed(tmp_path, 7)
        crowd(listening, asking)
        assert drops.count([listening]) == 0, "none overflowed since the beginning"


@pytest.mark.parametrize("said", ["", "no pairs at all\n", "TcpExt: ListenOverflows\nTcpExt: -1\n"])
def test_where_the_kernel_tells_no_overflows_all_that_sockets_drop_counts(tmp_path: Path, said: str) -> None:
    if said:
        _overflowed(tmp_path, 0)
        (tmp_path / "proc/net/netstat").write_text(said)
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listening, contextlib.ExitStack() as asking:
        drops = AcceptDrops(f"{tmp_path}/")
        crowd(listening, asking)
        assert drops.count([listening]) > 0


def _overflowed(root: Path, overflows: int) -> None:
    (root / "proc/net").mkdir(parents=True, exist_ok=True)
    said = f"TcpExt: SyncookiesSent ListenOverflows\nTcpExt: 3 {overflows}\nIpExt: InOctets\nIpExt: 9\n"
    (root / "proc/net/netstat").write_text(said)
