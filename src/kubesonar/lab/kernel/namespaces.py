"""Network namespaces, each held by an open file descriptor: no mounts, no names, gone with the last holder.

Work inside one is done in a thread of its own, because setns(2) moves a thread and not a process: the caller never
leaves its namespace, and an event loop that runs in the calling thread is not in the way of pyroute2's own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kubesonar.lab.kernel.syscalls import CLONE_NEWNET, setns, unshare

T = TypeVar("T")

_OWN = "/proc/thread-self/ns/net"


def new_network() -> int:
    """An open descriptor of a new, empty network namespace. Raises OSError where none may be made."""

    def make() -> int:
        unshare(CLONE_NEWNET)
        return own_network()

    return _in_thread(make)


def own_network() -> int:
    """An open descriptor of the calling thread's network namespace."""
    return os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)


def within(network: int | None, work: Callable[[], T]) -> T:
    """What `work` returns or raises when it runs inside that network namespace (None: the caller's own)."""

    def enter() -> T:
        if network is not None:
            setns(network, CLONE_NEWNET)
        return work()

    return _in_thread(enter)


def _in_thread(work: Callable[[], T]) -> T:
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="namespace") as thread:
        return thread.submit(work).result()
