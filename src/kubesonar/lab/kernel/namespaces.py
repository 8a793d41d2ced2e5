"""Network namespaces, each held by an open file descriptor: without mounts or names, gone when the last holder closes.

Work inside one runs in a thread of its own, because setns(2) moves a thread and not a process: the caller stays in its
namespace, and pyroute2's event loop does not meet one that runs in the calling thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kubesonar.lab.kernel.syscalls import CLONE_NEWNET, setns, unshare

_Result = TypeVar("_Result")

_OWN = "/proc/thread-self/ns/net"


def new_network() -> int:
    """Make an empty network namespace and return an open descriptor of it. Raises OSError where that is not
    permitted."""

    def make() -> int:
        unshare(CLONE_NEWNET)
        return own_network()

    return _in_thread(make)


def own_network() -> int:
    """Return an open descriptor of the calling thread's network namespace."""
    return os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)


def within(network: int | None, work: Callable[[], _Result]) -> _Result:
    """Run `work` inside that network namespace (None: the caller's own), and return or raise what it does."""

    def enter() -> _Result:
        if network is not None:
            setns(network, CLONE_NEWNET)
        return work()

    return _in_thread(enter)


def _in_thread(work: Callable[[], _Result]) -> _Result:
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="namespace") as thread:
        return thread.submit(work).result()
