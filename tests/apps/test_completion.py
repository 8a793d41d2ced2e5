from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kubesonar.apps.completion import SHELLS, candidates
from kubesonar.cli import completion, main

COMMANDS = ("agent", "check", "collector", "config")


@pytest.mark.parametrize(
    ("words", "found"),
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
def test_commands_then_flags_that_the_help_names(words: list[str], found: list[str]) -> None:
    assert candidates(words, COMMANDS, lambda _: "  --json  as JSON\n  --wait SECONDS, not-a--flag") == found


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert completion([shell]) == 0
    assert capsys.readouterr().out == SHELLS[shell]


def test_a_shell_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "csh"]) == 2
    assert 'got "csh", expected one of bash, zsh, fish' in capsys.readouterr().err


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_of_its_shell(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(SHELLS[shell])
    subprocess.run([program, "-n", script], check=True, timeout=30)


def test_bash_completes(tmp_path: Path) -> None:
    kubesonar = tmp_path / "kubesonar"
    kubesonar.write_text(f'#!/bin/sh\nexec {sys.executable} -m kubesonar "$@"\n')
    kubesonar.chmod(0o755)
    asked = 'COMP_WORDS=(kubesonar hi); COMP_CWORD=1; _kubesonar; echo "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "-c", f'PATH="{tmp_path}:$PATH"; source <(kubesonar completion bash); {asked}'],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "history\n"
