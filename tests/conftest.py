"""For all tests: time limits, the order in which tests begin, what a child process inherits, what the garbage collector
passes over, a kernel that stamps from the start, and what a run says of programs that it missed."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from kubesonar.net.kernel import cmsg
from tests.programs import advice

LAB_TIMEOUT = 400
"""Seconds that a test with a lab may take: a lab starts in about 10 s, and each fault is waited for 30 s at most. A
shorter limit fails on a busy machine, a longer one only delays the news of a hang."""

AGAIN = 5.0
"""Seconds between two tries to end a test whose time is over."""

# A busy machine is no failure. CI draws the same inputs each time, so that it judges the change and not the draw; new
# inputs are drawn wherever people run the tests.
settings.register_profile("kubesonar", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("kubesonar")


def pytest_configure() -> None:
    """Lets children end by SIGINT, also where a shell that started this run in the background ignores it: what is
    ignored is inherited, what is handled is not."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives tests with labs their time limit, and lets tests with a limit of their own begin first: they are the
    longest, and one that begins last keeps all workers but its own idle."""
    for item in items:
        if item.get_closest_marker("lab") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LAB_TIMEOUT))
    items.sort(key=lambda item: -_limit(item))


def pytest_collection_finish() -> None:
    """Takes what was imported and collected so far out of the garbage collector's sight: it lives until the end, and a
    twentieth of the time of tests went into looking through it again and again."""
    gc.freeze()


def pytest_timeout_set_timer(settings: Any) -> bool:
    """Fails a test whose time is over by SystemExit, which passes through an event loop of uvloop: the exception that
    pytest-timeout raises is caught there, and the test hangs on. Repeats it, because something may catch it."""

    def expire(*_: object) -> None:
        raise SystemExit(f"the time limit of {settings.timeout:g} s is over")

    signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout, AGAIN)
    return True


def pytest_timeout_cancel_timer() -> bool:
    """Ends what `pytest_timeout_set_timer` began."""
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Says at the end how many tests were skipped because programs are missing, and what installs those: in this run,
    and in those before it that had the same SKIPS_FILE (scripts/test)."""
    yield
    if hasattr(terminalreporter.config, "workerinput"):
        return  # a worker of pytest-xdist knows a part of what its controller knows
    reasons = [str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", ()) if report.longrepr]
    if "SKIPS_FILE" in os.environ:
        with Path(os.environ["SKIPS_FILE"]).open("a+") as file:
            file.writelines(repr(reason) + "\n" for reason in reasons)
            file.seek(0)
            reasons = file.readlines()
    for line in advice(reasons, run="" if os.getuid() == 0 else "sudo "):
        terminalreporter.write_line(line)


@pytest.fixture(autouse=True, scope="session")
def stamping() -> Iterator[None]:
    """Holds a socket open that asks for kernel stamps: the kernel begins to stamp what it receives only a moment after
    the machine's first socket asks for it (net_enable_timestamp in net/core/dev.c defers its static key)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.setsockopt(socket.SOL_SOCKET, cmsg.SO_TIMESTAMPING, cmsg.RX_STAMPS)
        time.sleep(0.1)
        yield


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    """Gives the root logger back its level and handlers: a program that runs in this process sets them, and what later
    tests see of the log, or a stream that is closed by then, depended on which test had run before."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def _limit(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0
