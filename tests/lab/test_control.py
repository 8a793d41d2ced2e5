"""Orders from another terminal, over the real socket."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import uvloop

from kubesonar.lab.control import ask, listen
from kubesonar.lab.directory import Directory, LabError, default_path
from kubesonar.lab.faults import FaultError, parse
from kubesonar.lab.topology import plan_lab
from kubesonar.model import Member

T = TypeVar("T")


def with_lab(path: Path, question: Callable[[], T]) -> T:
    """What a question from another thread gives while a lab takes orders."""
    active: list[str] = []

    def obey(text: str) -> tuple[str, ...]:
        if text:
            active.append(parse(text, plan_lab(2)).text)
        return tuple(active)

    async def run() -> T:
        async with listen(directory.control, obey):
            return await asyncio.to_thread(question)

    directory = Directory(path)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run())
    finally:
        directory.release()


def test_an_order_at_which_the_lab_fails_ends_the_connection(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The person is told at once, and not only when the order's time is over."""

    def obey(text: str) -> tuple[str, ...]:
        if text:
            raise RuntimeError("a mistake of our own")
        return ()

    directory = Directory(tmp_path / "lab")

    async def run() -> tuple[str, ...]:
        async with listen(directory.control, obey):
            with pytest.raises(LabError, match="does not answer"):
                await asyncio.to_thread(ask, tmp_path / "lab", "cut node-1")
            return await asyncio.to_thread(ask, tmp_path / "lab")

    try:
        assert asyncio.run(run()) == ()
    finally:
        directory.release()
    assert "a mistake of our own" in caplog.text


def raw(path: Path, request: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path / "control.sock"))
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


def test_a_fault_is_ordered_and_the_active_ones_come_back(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    assert with_lab(lab, lambda: (ask(lab, "cut node-1"), ask(lab))) == (("cut node-1",), ("cut node-1",))


def test_a_refusal_reaches_the_person(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    with pytest.raises(FaultError, match='node: got "node-7", expected one of node-1, node-2'):
        with_lab(lab, lambda: ask(lab, "cut node-7"))


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (b"\n", b"this is no order to a lab"),
        (b"nonsense\n", b"this is no order to a lab"),
        (b'{"version":1,"fault":"\xff"}\n', b"this is no order to a lab: text that is not UTF-8"),
        (b'{"version":1,"fault":3}\n', b"this is no order to a lab"),
        (b"[" * 20_000 + b"\n", b"this is no order to a lab"),
        (b'{"version":9}\n', b"version: got 9, expected 1"),
        (b'{"version":1,"fault":"' + b"x" * 2000 + b'"}\n', b"this is no order to a lab"),
    ],
)
def test_what_is_no_order_is_answered_and_changes_nothing(tmp_path: Path, request_: bytes, error: bytes) -> None:
    lab = tmp_path / "lab"
    answer, active = with_lab(lab, lambda: (raw(lab, request_), ask(lab)))
    assert error in answer
    assert active == ()


def test_an_endless_line_is_cut_off_and_the_lab_goes_on(tmp_path: Path) -> None:
    lab = tmp_path / "lab"

    def flood() -> tuple[str, ...]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(lab / "control.sock"))
            try:
                for _ in range(64):
                    connection.sendall(bytes(64 * 1024))
            except (BrokenPipeError, ConnectionResetError):
                return ask(lab)
        raise AssertionError("four megabytes were taken")

    assert with_lab(lab, flood) == ()


def test_where_no_lab_runs_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no lab runs in"):
        ask(tmp_path)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "control.sock"))
    with pytest.raises(LabError, match="no lab runs in"):
        ask(tmp_path)


def test_a_directory_holds_one_lab_and_a_stale_one_is_cleared_away(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    first = "from kubesonar.lab.directory import *; import sys, time; Directory(Path(sys.argv[1])).control.touch();"
    command = [sys.executable, "-c", first + "print(flush=True); time.sleep(600)", str(lab)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        with pytest.raises(LabError, match="a lab already runs in"):
            Directory(lab)
        assert (lab / "control.sock").exists()
        running.kill()
    second = Directory(lab)
    assert not second.control.exists()
    second.release()
    assert not lab.exists()


def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    lab.mkdir(mode=0o755)
    with pytest.raises(LabError, match="only its owner"):
        Directory(lab)
    link = tmp_path / "link"
    link.symlink_to(lab)
    with pytest.raises(LabError, match="only its owner"):
        Directory(link)
    with pytest.raises(LabError, match="too long a path"):
        Directory(tmp_path / ("x" * 100))


@pytest.mark.parametrize("name", ["logs", "account", "notices.jsonl"])
def test_what_no_lab_made_is_not_cleared_away(name: str, tmp_path: Path) -> None:
    mine = tmp_path / "home" / name
    mine.mkdir(parents=True)
    mine.parent.chmod(0o700)
    for _ in range(2):  # also after a refusal
        with pytest.raises(LabError, match=f"it has a {name} that no lab made, expected an empty directory"):
            Directory(mine.parent)
    assert mine.exists()


def test_a_directory_that_cannot_be_used_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "members.json").mkdir()
    tmp_path.chmod(0o700)
    with pytest.raises(LabError, match=r"cannot be used: Is a directory$"):
        Directory(tmp_path)


def test_a_runtime_directory_that_is_none_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "none", tmp_path / "file" / "below", Path("x" * 300)):
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(path))
        assert default_path() == Path(f"/tmp/kubesonar-lab-{os.getuid()}")


def test_files_that_are_not_the_labs_stay(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    lab.mkdir(mode=0o700)
    (lab / "notes").write_text("mine")
    directory = Directory(lab)
    directory.write_roster([Member("a", "b", ("127.0.0.1",), 1)])
    directory.release()
    assert [path.name for path in lab.iterdir()] == ["notes"]


def test_the_default_directory_is_the_users_own() -> None:
    assert default_path().name.startswith("kubesonar-lab")
