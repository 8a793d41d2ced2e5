"""The table of commands, as a person and as a pipe meet it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kubesonar.cli import COMMANDS, main


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kubesonar", *arguments], capture_output=True, text=True, check=False, timeout=30
    )


def test_help_lists_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(f"  {name} " in done.stdout and command.help in done.stdout for name, command in COMMANDS.items())


def test_no_command_is_a_mistake_and_shows_the_help() -> None:
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: kubesonar COMMAND" in done.stderr


def test_an_unknown_command_gets_a_suggestion() -> None:
    done = run("agnet")
    assert (done.returncode, done.stderr) == (2, 'kubesonar: unknown command "agnet"; did you mean agent?\n')


@pytest.mark.parametrize("word", ["version", "--version"])
def test_the_version_is_printed(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 0
    assert capsys.readouterr().out.startswith("kubesonar 0.")


def test_a_bad_value_is_one_sentence_and_exit_code_2() -> None:
    done = run("config", "show", "--metrics.edges", "some")
    assert done.returncode == 2
    assert done.stderr == (
        'kubesonar config show: metrics.edges (flag --metrics.edges): got "some", expected one of bad, all, none\n'
    )


def test_a_reader_that_goes_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "kubesonar", "--help"], stdout=writer, stderr=subprocess.PIPE, check=False, timeout=30
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_bug_of_ours_does_not_read_as_a_verdict(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from kubesonar import cli\ncli.COMMANDS['version'] = cli.Command('broken', 'kubesonar.cli:no_such_function')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "kubesonar", "version"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 70
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1] == "kubesonar: this is a bug of kubesonar; the lines above say where"
