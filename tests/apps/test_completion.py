from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from kubesonar.apps.completion import SHELLS, candidates
from kubesonar.cli import completion, main
from tests.programs import find, found

COMMANDS = ("agent", "check", "collector", "config")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [*COMMANDS]),
        (["c"], ["check", "collector", "config"]),
        (["check", "--j"], ["--json"]),
        (["check", "-"], ["--json", "--wait"]),
        (["check", "http"], []),
        (["kubectl", "ch"], ["check"]),
        (["kubectl", "check", "--w"], ["--wait"]),
    ],
)
def test_commands_then_flags_that_the_help_names(words: list[str], expected: list[str]) -> None:
    assert candidates(words, COMMANDS, lambda _: "  --json  as JSON\n  --wait SECONDS, not-a--flag") == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert completion([shell]) == 0
    assert capsys.readouterr().out == SHELLS[shell]


def test_a_shell_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "csh"]) == 2
    assert 'got "csh", expected one of bash, zsh, fish' in capsys.readouterr().err


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_of_its_shell(shell: str, tmp_path: Path) -> None:
    subprocess.run([find(shell) or found(shell), "-n", _script(shell, tmp_path)], check=True, timeout=30)


COMPLETED = [
    ("hi", "history"),
    ("check --js", "check --json"),
    ("kubectl hi", "kubectl history"),
    ("check ./rost", "check ./roster.json"),
]
"""What is typed, and what becomes of it: the last is a file in the working directory."""


@pytest.fixture
def shell_path(tmp_path: Path) -> str:
    """A PATH on which `kubesonar` completes, and else prints and keeps what it was called with."""
    program = tmp_path / "bin" / "kubesonar"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n[ "$1" != completion ] || exec {sys.executable} -m kubesonar "$@"\necho "$@" >{tmp_path}/called\n'
    )
    program.chmod(0o755)
    (tmp_path / "roster.json").touch()
    return f"{program.parent}:{os.environ['PATH']}"


@pytest.mark.parametrize(("typed", "completed"), COMPLETED)
def test_bash_completes(typed: str, completed: str, tmp_path: Path, shell_path: str) -> None:
    words = typed.split()
    ask = f"COMP_WORDS=(kubesonar {typed}); COMP_CWORD={len(words)}; _kubesonar"
    show = f'echo "${{COMPREPLY[@]:-$(compgen -f {words[-1]})}}"'  # as `-o default` does where there is nothing
    script = f"source {_script('bash', tmp_path)}; {ask}; {show}"
    assert _printed("bash", "-c", script, path=shell_path, folder=tmp_path) == completed.split()[-1:]


@pytest.mark.parametrize(("typed", "completed"), [*COMPLETED, ("kubectl ", "kubectl check"), ("h", "history")])
def test_fish_completes(typed: str, completed: str, tmp_path: Path, shell_path: str) -> None:
    script = f'source {_script("fish", tmp_path)}; complete -C "kubesonar {typed}"'
    shown = _printed(found("fish"), "--no-config", "-c", script, path=shell_path, folder=tmp_path)
    assert completed.split()[-1] in shown


@pytest.mark.parametrize("way", ["sourced", "fpath"])
@pytest.mark.parametrize(("typed", "completed"), COMPLETED)
def test_zsh_completes(typed: str, completed: str, way: str, tmp_path: Path, shell_path: str) -> None:
    _script("zsh", tmp_path)
    if way == "fpath":
        lines = [f"fpath=({tmp_path} $fpath)", "autoload -Uz compinit && compinit -u -D"]
    else:
        lines = ["autoload -Uz compinit && compinit -u -D", "source ./_kubesonar"]
    _at_a_terminal([found("zsh"), "-f", "-i"], [*lines, f"kubesonar {typed}\t"], tmp_path, shell_path)
    assert (tmp_path / "called").read_text() == f"{completed}\n"


def _script(shell: str, folder: Path) -> Path:
    """The file with what `kubesonar completion` prints for that shell."""
    script = folder / "_kubesonar"
    script.write_text(SHELLS[shell])
    return script


def _printed(*command: str, path: str, folder: Path) -> list[str]:
    environ = {**os.environ, "PATH": path, "HOME": str(folder)}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.split()


def _at_a_terminal(command: list[str], lines: list[str], folder: Path, path: str) -> None:
    """Type lines into a shell, each when it is ready for it, and leave."""
    terminal, end = pty.openpty()
    environ = {"PATH": path, "PS1": "READY>", "TERM": "dumb", "HOME": str(folder)}
    with subprocess.Popen(command, stdin=end, stdout=end, stderr=end, cwd=folder, env=environ, start_new_session=True):
        os.close(end)
        shown = b""
        for number, line in enumerate([*lines, "exit"], 1):
            while shown.count(b"READY>") < number:
                shown += os.read(terminal, 65_536)
            os.write(terminal, f"{line}\n".encode())
        while _more(terminal):
            pass
    os.close(terminal)


def _more(terminal: int) -> bytes:
    """What a terminal shows next, nothing once nobody writes to it any more (EIO)."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""
