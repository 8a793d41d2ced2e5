"""`kubesonar check` and `kubesonar map`, as people and scripts run them."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kubesonar.apps import check, map
from kubesonar.config import ConfigError
from kubesonar.views.answers import MapAnswer, VerdictAnswer
from tests.apps.listening import answer, answers, on_sockets, on_tcp
from tests.core.mesh import Mesh

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_a_well_mesh_is_exit_code_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with on_sockets(tmp_path, answers(Mesh())):
        assert check.main([str(tmp_path)]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("the network is healthy: 5 nodes, 10 agents")
    assert rest[-1].startswith("10 of 10 members read at ")


def test_a_sick_one_is_exit_code_1_and_its_first_line_the_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with on_sockets(tmp_path, answers(Mesh().cut("node-3"))):
        assert check.main([str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r"node-3 is cut off: .* since (before )?\d\d:\d\d:\d\d; 8 of 8 observers agree$", lines[0])
    assert any(line.startswith("node node-3: cut, since ") for line in lines)


def test_who_cannot_be_read_makes_it_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with on_tcp(answer(b"", 401)) as url:
        assert check.main([url]) == 2
    assert "cannot tell: no agent could be read" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["check", "map --once", "check --json", "check --help"])
def test_a_reader_that_goes_away_is_no_verdict(tmp_path: Path, command: str) -> None:
    """`kubesonar check | head -1` under pipefail: exit code 1 would say "bad" of a healthy network."""
    reader, writer = os.pipe()
    os.close(reader)
    with on_sockets(tmp_path, answers(Mesh())):
        done = subprocess.run(
            [sys.executable, "-m", "kubesonar", *command.split(), str(tmp_path)],
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
            timeout=30,
        )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_json_has_the_documented_fields(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with on_sockets(tmp_path, answers(Mesh().cut("node-3"))):
        assert check.main([str(tmp_path), "--json"]) == 1
    out = capsys.readouterr().out
    found: dict[str, Any] = json.loads(out)
    assert list(found) == [
        *("schema", "verdict", "sentence", "at", "findings", "unknown", "states", "observers", "members")
    ]
    assert (found["schema"], found["verdict"], found["observers"], found["members"]) == (1, "bad", 10, 10)
    assert RFC3339.fullmatch(found["at"])
    (finding,) = found["findings"]
    assert list(finding) == [*("part", "fault", "subject", "since", "confidence", "sentence", "evidence", "against")]
    assert (finding["part"], finding["fault"], finding["subject"]) == ("node", "cut", "node-3")
    assert RFC3339.fullmatch(finding["since"]) and 0.9 < finding["confidence"] < 1 and finding["evidence"]
    assert msgspec.json.decode(out, type=VerdictAnswer, strict=True).sentence == found["sentence"]


def test_waiting_ends_with_the_first_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ready = time.monotonic() + 1.0
    served = answers(Mesh(nodes=3))
    late = {
        name: (lambda request, a=a: a(request) if time.monotonic() > ready else answer(b"", 503)(request))
        for name, a in served.items()
    }
    with on_sockets(tmp_path, late):
        assert check.main([str(tmp_path)]) == 2
        assert check.main([str(tmp_path), "--wait", "60"]) == 0
    assert time.monotonic() > ready


def test_waiting_ends_when_the_time_is_over() -> None:
    assert check.main(["unix:/nowhere/a.sock", "--wait", "0.1"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [["--wat"], ["--wait", "long"], ["--wait", "-1"], ["--color", "blue"], ["--timeout", "0"]],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    assert check.main(arguments) == 2
    assert map.main(arguments) == 2


def test_help_is_exit_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["--help"]) == 0 and map.main(["--help"]) == 0
    assert "Exit code: 0 good, 1 bad, 2 unknown" in " ".join(capsys.readouterr().out.split())


def test_a_token_file_is_read_and_refused_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "token"
    asked: list[bytes] = []
    file.write_text("\n s3cret \nother\n")
    with on_tcp(lambda request: asked.append(request)) as url:
        check.main([url, "--token-file", str(file), "--timeout", "0.2"])
    assert b"Bearer s3cret\r\n" in asked[0]
    for text in (b"", b"  \n", b"\xff\xfe", b"a\x00b"):
        file.write_bytes(text)
        with pytest.raises(ConfigError, match=r"--token-file: .* holds no token"):
            check.main(["unix:/x", "--token-file", str(file)])
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        check.main(["unix:/x", "--token-file", str(tmp_path / "none")])


def test_the_map_is_printed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with on_sockets(tmp_path, answers(Mesh().cut("node-3"))):
        assert map.main([str(tmp_path), "--once"]) == 0
        both = capsys.readouterr().out
        assert map.main([str(tmp_path), "--once", "--network", "pod"]) == 0
        pod = capsys.readouterr().out
        assert map.main([str(tmp_path), "--json"]) == 0
    found = msgspec.json.decode(capsys.readouterr().out, type=MapAnswer, strict=True)
    assert both.startswith("node-3 is cut off") and "host network  5 members" in both and "\x1b" not in both
    assert "pod network  5 members" in pod and "host network  5 members" not in pod
    assert [network.network for network in found.networks] == ["pod", "host"]
    assert len(found.networks[0].members) == 5 and len(found.networks[0].cells) == 40


def test_a_map_of_nobody_is_exit_code_2() -> None:
    assert map.main(["unix:/nowhere/a.sock", "--once"]) == 2


def test_a_picture_fetches_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "map.svg"
    with on_sockets(tmp_path, answers(Mesh(nodes=3))):
        assert map.main([str(tmp_path), "--once", "--svg", str(picture)]) == 0
        assert check.main([str(tmp_path), "--svg", str(picture)]) == 0
    svg = picture.read_text()
    assert svg.startswith("<svg") and "healthy" in svg
    assert "@font-face" not in svg and not re.search(r"(?:src|href|url)\W*http", svg)


def process(*arguments: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kubesonar", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
    )


def test_without_a_lab_a_sentence_says_what_to_give(tmp_path: Path) -> None:
    with process("check", XDG_RUNTIME_DIR=str(tmp_path)) as running:
        out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (2, "")
    assert err.startswith("kubesonar: no agent was named and no lab runs here: give an agent's address")
    assert err.count("\n") == 1


def test_the_lab_that_runs_here_is_found() -> None:
    with tempfile.TemporaryDirectory() as folder:  # `tmp_path` may be too long for Unix sockets in folders in it
        agents = Path(folder) / "kubesonar-lab" / "agents"
        agents.mkdir(parents=True)
        with (
            on_sockets(agents, answers(Mesh(nodes=3))),
            process("check", "--color", "always", XDG_RUNTIME_DIR=folder, LC_ALL="C") as running,
        ):
            out, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (0, "")
    assert out.startswith("\x1b[1;32mthe network is healthy")


def test_a_live_map_without_a_terminal_logs_the_verdict_until_ctrl_c(tmp_path: Path) -> None:
    with on_sockets(tmp_path, answers(Mesh(nodes=3))), process("map", str(tmp_path)) as running:
        assert running.stdout is not None
        line = running.stdout.readline()
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
    assert re.match(r"\d\d:\d\d:\d\d the network is healthy", line)
    assert (running.returncode, err) == (0, "")


def test_a_live_map_on_a_terminal_fits_it_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with on_sockets(tmp_path, answers(Mesh().cut("node-3"))):
        running = subprocess.Popen(
            [sys.executable, "-m", "kubesonar", "map", str(tmp_path)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
        )
        os.close(theirs)
        shown = read_until(ours, "Ctrl-C ends")
        running.send_signal(signal.SIGINT)
        rest = read_until(ours, "\x1b[?1049l")
        assert running.wait(30) == 0
    os.close(ours)
    assert "\x1b[?1049h" in shown and "\x1b[?25h" in rest
    words = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown)
    assert "node-3 is cut off" in words and "host network  5 members" in words
    assert words.count("\nnode-5 ") == 2  # five nodes fit a screen of 24 lines whole
    assert not re.search(r"\x1b\[[\d;]*3[0-7]m", shown)  # NO_COLOR
    frame = shown.rpartition("\x1b[H")[2]
    assert frame.count("\n") < 24


def read_until(descriptor: int, end: str) -> str:
    """What a terminal shows up to some text."""
    text = ""
    deadline = time.monotonic() + 30
    while end not in text:
        assert time.monotonic() < deadline, text
        if select.select([descriptor], [], [], 1)[0]:
            text += os.read(descriptor, 65536).decode(errors="replace")
    return text
