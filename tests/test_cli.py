"""The table of commands, as a person and as a pipe meet it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from kubesonar.apps.dns import DNS_VERBS
from kubesonar.apps.examples import EXAMPLES
from kubesonar.apps.kubectl import plugin_usage
from kubesonar.apps.kubectl.commands import KUBECTL_COMMANDS
from kubesonar.cli import COMMANDS, PLUGIN_COMMANDS, kubectl_completion, kubectl_sonar, main
from tests.apps.agents import members, tree
from tests.apps.listening import answers, on_sockets
from tests.core.mesh import Mesh
from tests.ports import free_port


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kubesonar", *arguments], capture_output=True, text=True, check=False, timeout=30
    )


PASSING_OVER = {"knh", "kubenurse"}
"""Commands that pass over what is no variable of the environment, as the older tools do."""

VERBS = [
    *(f"kubectl {name}" for name in KUBECTL_COMMANDS),
    *(f"dns {name}" for name in DNS_VERBS),
    *(f"keys {name}" for name in ("make", "sign", "remove", "status", "certificate")),
    "lab fault",
    "kubectl dns rbac",
    "config show",
]

DNS_FLAGS = "--vantage"
"""Flags of verbs, which the help of `dns` itself does not list."""


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
    assert (done.returncode, done.stderr) == (
        2,
        'kubesonar: unknown command "agnet"; did you mean agent?\nkubesonar --help shows more\n',
    )


def test_a_command_that_only_the_plug_in_has_is_found_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(PLUGIN_COMMANDS) == KUBECTL_COMMANDS.keys() - COMMANDS.keys()
    for name in PLUGIN_COMMANDS:
        assert main([name]) == 2
        assert f'unknown command "{name}"; did you mean kubectl sonar {name}?' in capsys.readouterr().err


@pytest.mark.parametrize("word", ["version", "--version"])
def test_the_version_is_printed(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 0
    assert capsys.readouterr().out.startswith("kubesonar 0.")


def test_the_plug_in_of_kubectl_is_a_program_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kubectl-sonar", "--help"])
    assert kubectl_sonar() == 0
    assert capsys.readouterr().out.startswith("usage: kubectl sonar COMMAND")


@pytest.mark.parametrize("name", [*COMMANDS, *(f"kubectl {name}" for name in KUBECTL_COMMANDS)])
def test_every_command_has_two_examples_of_flags_that_it_has(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*name.split(), "--help"]) == 0
    printed = capsys.readouterr()
    told = " ".join((printed.out + printed.err).split())
    help_text, _, examples = told.rpartition("Examples:")
    assert [row.line in examples for row in EXAMPLES[name]] == [True, True]
    program = name.replace("kubectl", "kubectl sonar") if name.startswith("kubectl ") else f"kubesonar {name}"
    for row in EXAMPLES[name]:
        flags = re.findall(r" (--?[a-z][a-z.-]+)", row.line) if program in row.line else []
        assert [flag for flag in flags if flag not in help_text and flag not in plugin_usage() + DNS_FLAGS] == []


def test_examples_are_those_of_commands() -> None:
    assert EXAMPLES.keys() == {*COMMANDS, *(f"kubectl {name}" for name in KUBECTL_COMMANDS)}


@pytest.mark.parametrize("name", [*sorted(COMMANDS.keys() - PASSING_OVER), *VERBS])
def test_an_error_ends_with_the_command_that_shows_more(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert main([*name.split(), "--no-such-flag", "x"]) == 2
    said = capsys.readouterr()
    program, *verb = name.split()
    whole = ["kubectl", "sonar", *verb] if program == "kubectl" else ["kubesonar", program, *verb]
    more = " ".join(whole).removesuffix(" show")  # the help of `config` is that of its only verb
    assert said.out == ""
    assert said.err.splitlines()[-1] == f"{more} --help shows more"
    assert main([*name.split(), "--help"]) == 0


def test_the_table_of_commands_has_all_verbs() -> None:
    assert COMMANDS["dns"].verbs == tuple(DNS_VERBS)
    assert {name: [*command.verbs] for name, command in COMMANDS.items() if command.verbs and name != "dns"} == {
        "lab": ["fault"],
        "keys": [name.removeprefix("keys ") for name in VERBS if name.startswith("keys ")],
    }


@pytest.mark.parametrize(
    ("words", "more"),
    [
        (["kubectl"], "kubectl sonar"),
        (["kubectl", "bogus"], "kubectl sonar"),
        (["kubectl", "-n", "foo"], "kubectl sonar"),
        (["kubectl", "-o", "xml", "check"], "kubectl sonar check"),
        (["dns"], "kubesonar dns"),
        (["dns", "bogus"], "kubesonar dns"),
        (["keys"], "kubesonar keys"),
        (["keys", "bogus"], "kubesonar keys"),
        (["keys", "sign"], "kubesonar keys sign"),
        (["keys", "sign", "0", "make"], "kubesonar keys sign"),
        (["dns", "exec"], "kubesonar dns exec"),
        (["dns", "check", "--vantage", "9"], "kubesonar dns check"),
        (["kubectl", "dns", "bogus"], "kubectl sonar dns"),
        (["config", "bogus"], "kubesonar config"),
        (["completion"], "kubesonar completion"),
        (["version", "x"], "kubesonar version"),
        (["collector", "--store.directory", "/nowhere/at/all", "--store.kind", "sqlite"], "kubesonar collector"),
        (["agent", "--listen", "here"], "kubesonar agent"),
        (["explain"], "kubesonar explain"),
        (["support", "--out"], "kubesonar support"),
        (["lab", "--nodes", "none"], "kubesonar lab"),
    ],
)
def test_what_is_missing_or_wrong_ends_so_too(words: list[str], more: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-1] == f"{more} --help shows more"


def test_kubectl_is_told_what_may_follow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in ((["ch"], ["check"]), (["history", "--sin"], ["--since"]), (["check", ""], [])):
        monkeypatch.setattr(sys, "argv", ["kubectl_complete-sonar", *words])
        assert kubectl_completion() == 0
        assert capsys.readouterr().out.splitlines() == [*told, ":4"]


def test_a_bad_value_is_one_sentence_and_exit_code_2() -> None:
    done = run("config", "show", "--metrics.edges", "some")
    assert done.returncode == 2
    assert done.stderr == (
        'kubesonar config show: metrics.edges (flag --metrics.edges): got "some", expected one of bad, all, none\n'
        "kubesonar config --help shows more\n"
    )


PRINTING = [
    ["version"],
    ["keys", "--help"],
    ["check", "--help"],
    ["agent", "--help"],
    ["config", "show"],
    ["check", "SOURCES"],
    ["check", "SOURCES", "--json"],
    ["map", "SOURCES", "--once"],
]


@pytest.mark.parametrize("arguments", PRINTING)
def test_output_that_cannot_be_written_is_told_and_no_verdict(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with on_sockets(tmp_path, answers(Mesh(nodes=3))), Path("/dev/full").open("w") as full, redirect_stdout(full):
        assert main([str(tmp_path) if word == "SOURCES" else word for word in arguments]) == 74
    sentence = "kubesonar: standard output cannot be written: No space left on device\n"
    assert capsys.readouterr() == ("", sentence)


@pytest.mark.parametrize("arguments", PRINTING)
def test_output_that_nobody_reads_any_more_ends_in_silence(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with on_sockets(tmp_path, answers(Mesh(nodes=3))), os.fdopen(writer, "w") as unread, redirect_stdout(unread):
        assert main([str(tmp_path) if word == "SOURCES" else word for word in arguments]) == 141
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "code"), [(["nonsense"], 2), (["keys", "remove"], 2), (["check", "unix:/nonexistent"], 2)]
)
def test_an_error_that_cannot_be_written_keeps_the_exit_code(arguments: list[str], code: int) -> None:
    with Path("/dev/full").open("w") as full, redirect_stderr(full):
        assert main(arguments) == code


@pytest.mark.parametrize("command", [["keys", "status"], ["check"], ["lab"]])
def test_without_its_extra_a_command_says_what_to_install(command: list[str]) -> None:
    bare = "import sys; sys.modules['typer'] = None; from kubesonar.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", bare, *command], capture_output=True, text=True, check=False, timeout=30
    )
    expected = "kubesonar: this command needs typer: pip install 'kubesonar[cli]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


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


def ended_by(number: signal.Signals, *arguments: str, ready: str) -> int:
    """The exit code of a command that a parent started with all signals ignored, and that gets one once it has said
    `ready`."""
    command = ["sh", "-c", 'trap "" INT TERM; exec "$@"', "sh", sys.executable, "-m", "kubesonar", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        while ready not in (line := process.stdout.readline()):
            assert line, "it ended before"
        process.send_signal(number)
        try:
            process.communicate(timeout=20)
        finally:
            process.kill()
    return process.returncode


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_map_ends_although_its_parent_ignores_signals(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with on_sockets(tmp_path, answers(Mesh(nodes=3))):
        assert ended_by(number, "map", str(tmp_path), ready="healthy") == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_agent_ends_although_its_parent_ignores_signals(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    config = tmp_path / "config.json"
    config.write_text(json.dumps(tree("a", port, members(tmp_path, {"a": port}))))
    assert ended_by(number, "agent", "--config", str(config), ready="serving") == 0


@pytest.mark.lab
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 2), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_a_lab_ends_although_its_parent_ignores_signals(tmp_path: Path, number: signal.Signals, code: int) -> None:
    directory = tmp_path / "lab"
    assert ended_by(number, "lab", "--nodes", "2", "--directory", str(directory), ready="cannot tell") == code
    assert not directory.exists()
