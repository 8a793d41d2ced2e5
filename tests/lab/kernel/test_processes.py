"""Children end as they say, write where they should and never outlive their parent."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from kubesonar.lab.kernel.processes import LabProcess
from tests.lab.inside import PATIENCE


def run(main: object, log: Path) -> LabProcess:
    assert callable(main)
    process = LabProcess("child", main, None, log)
    process.start()
    deadline = time.monotonic() + PATIENCE
    while process.running:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return process


def test_output_goes_to_the_log_and_the_exit_code_is_kept(tmp_path: Path) -> None:
    def main() -> int:
        sys.stdout.write("said\n")
        sys.stderr.write("complained\n")
        return 3

    process = run(main, tmp_path / "log")
    assert process.exit_code == 3
    assert (tmp_path / "log").read_text() == "said\ncomplained\n"


def test_an_exception_ends_the_child_with_a_traceback_in_its_log(tmp_path: Path) -> None:
    def main() -> int:
        raise RuntimeError("a bug")

    assert run(main, tmp_path / "log").exit_code == 70
    assert "RuntimeError: a bug" in (tmp_path / "log").read_text()


def test_system_exit_gives_the_exit_code(tmp_path: Path) -> None:
    assert run(lambda: sys.exit(4), tmp_path / "log").exit_code == 4


def test_a_child_has_a_session_and_signals_of_its_own(tmp_path: Path) -> None:
    def main() -> int:
        own = os.getsid(0) == os.getpid() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        return 0 if own and os.read(0, 1) == b"" else 1

    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        assert run(main, tmp_path / "log").exit_code == 0
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_frozen_child_can_be_killed_and_started_again(tmp_path: Path) -> None:
    process = LabProcess("child", lambda: time.sleep(60), None, tmp_path / "log")
    process.start()
    first = process.pid
    process.start()
    assert process.pid == first
    process.pause()
    assert process.paused
    process.kill()
    assert (process.running, process.paused, process.exit_code) == (False, False, -signal.SIGKILL)
    process.start()
    assert process.running and process.pid != first
    process.kill()
    process.kill()
    assert process.pid == 0
