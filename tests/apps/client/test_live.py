"""The live map, on a terminal and without one."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.apps.client.processes import process
from tests.apps.listening import answers, on_sockets
from tests.core.mesh import Mesh

LINES = 26
"""Height of the terminal."""

_ENVIRON = {key: value for key, value in os.environ.items() if key not in ("LINES", "COLUMNS")}
"""Without the size that a parent says (a worker of pytest-xdist does), which would go before the terminal's own."""


def test_a_live_map_without_a_terminal_logs_the_verdict_until_ctrl_c(tmp_path: Path) -> None:
    with on_sockets(tmp_path, answers(Mesh(nodes=3))), process("map", str(tmp_path)) as running:
        assert running.stdout is not None
        line = running.stdout.readline()
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
    assert re.match(r"\d\d:\d\d:\d\d the network is healthy", line)
    assert (running.returncode, err) == (0, "")


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGQUIT, -signal.SIGQUIT)],
)
def test_a_live_map_on_a_terminal_fits_it_and_leaves_it_as_it_was(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (LINES, 80))
    with on_sockets(tmp_path, answers(Mesh().cut("node-3"))):
        running = subprocess.Popen(
            [sys.executable, "-m", "kubesonar", "map", str(tmp_path)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**_ENVIRON, "TERM": "xterm", "NO_COLOR": "1"},
        )
        os.close(theirs)
        shown = read_until(ours, "Ctrl-C ends")
        running.send_signal(number)
        rest = read_until(ours, "\x1b[?1049l")
        assert running.wait(30) == code
    os.close(ours)
    assert "\x1b[?1049h" in shown and "\x1b[?25h" in rest
    words = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown)
    assert "node-3 is cut off" in words and "host network  5 members" in words
    assert words.count("\nnode-5 ") == 2  # five nodes fit whole
    assert not re.search(r"\x1b\[[\d;]*3[0-7]m", shown)  # NO_COLOR
    frame = shown.rpartition("\x1b[H")[2]
    assert frame.count("\n") < LINES


def read_until(descriptor: int, end: str) -> str:
    """What a terminal shows up to some text."""
    text = ""
    deadline = time.monotonic() + 30
    while end not in text:
        assert time.monotonic() < deadline, text
        if select.select([descriptor], [], [], 1)[0]:
            text += os.read(descriptor, 65536).decode(errors="replace")
    return text
