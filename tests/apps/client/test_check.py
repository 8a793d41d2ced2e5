"""`kubesonar check`, as people and scripts run it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kubesonar.apps.client import check, explain, map
from kubesonar.config import ConfigError
from kubesonar.views.answers import VerdictAnswer
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
    assert list(finding) == [
        *("part", "fault", "subject", "since", "confidence", "sentence", "severity"),
        *("evidence", "against", "alike", "rivals", "because", "confirm"),
    ]
    assert finding["severity"] == "warning"
    assert (finding["part"], finding["fault"], finding["subject"]) == ("node", "cut", "node-3")
    assert RFC3339.fullmatch(finding["since"]) and 0.9 < finding["confidence"] < 1 and finding["evidence"]
    assert msgspec.json.decode(out, type=VerdictAnswer, strict=True).sentence == found["sentence"]


def test_only_findings_that_are_severe_enough_make_it_fail(tmp_path: Path) -> None:
    with on_sockets(tmp_path, answers(Mesh().cut("node-3"))):
        assert check.main([str(tmp_path), "--fail-on", "warning"]) == 1
        assert check.main([str(tmp_path), "--fail-on", "critical"]) == 0


def test_a_finding_is_explained_with_who_saw_it_and_how_to_confirm_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with on_sockets(tmp_path, answers(Mesh().cut("node-3"))):
        assert explain.main(["node-3", str(tmp_path)]) == 0
        text = capsys.readouterr().out
        with pytest.raises(ConfigError, match='expected one of the findings: "node node-3"'):
            explain.main(["node-4", str(tmp_path)])
    assert "seen by" in text
    assert "kubectl debug node/node-1" in text


def test_of_a_well_network_it_is_said_that_nothing_is_wrong_and_of_an_unknown_one_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with on_sockets(tmp_path, answers(Mesh(nodes=3))):
        assert explain.main(["all", str(tmp_path)]) == 0
        assert capsys.readouterr().out.startswith("nothing is wrong: the network is healthy: 3 nodes, 6 agents")
        with pytest.raises(ConfigError, match='got "node-3", but there is none: the network is healthy'):
            explain.main(["node-3", str(tmp_path)])
    assert explain.main(["all", "unix:/nowhere/a.sock"]) == 2
    assert capsys.readouterr().out.startswith("cannot tell: ")


def test_waiting_ends_with_the_first_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    served = answers(Mesh(nodes=3))
    asked = Counter[str]()

    def at_the_third_time(name: str, request: bytes) -> bytes | None:
        asked[name] += 1
        return served[name](request) if asked[name] > 2 else answer(b"", 503)(request)

    with on_sockets(tmp_path, {name: partial(at_the_third_time, name) for name in served}):
        assert check.main([str(tmp_path)]) == 2
        assert asked == dict.fromkeys(served, 1)
        assert check.main([str(tmp_path), "--wait", "60"]) == 0


def test_waiting_ends_when_the_time_is_over() -> None:
    assert check.main(["unix:/nowhere/a.sock", "--wait", "0.1"]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--wat"], "no such option: --wat"),
        (["--timeout", "long"], "--timeout: input should be a valid number, unable to parse string as a number"),
        (["--timeout", "0"], "--timeout: input should be greater than or equal to 0.1"),
        (["--timeout"], "option '--timeout' requires an argument"),
        (["--color", "blue"], "--color: 'blue' is not one of 'auto', 'always', 'never'"),
        (["--all=x"], "option '--all' does not take a value"),
    ],
)
def test_wrong_usage_is_one_sentence_that_names_the_option(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (check.main, map.main):
        with pytest.raises(ConfigError) as refused:
            command(arguments)
        assert str(refused.value).startswith(said) and "\n" not in str(refused.value)
    assert capsys.readouterr() == ("", "")


def test_what_is_missing_is_named_and_a_stream_of_changes_is_no_document() -> None:
    with pytest.raises(ConfigError, match=r"^missing argument 'FINDING'$"):
        explain.main([])
    with pytest.raises(ConfigError, match=r"^--watch and --json: expected one of them, not both$"):
        check.main(["--watch", "--json", "unix:/nowhere/a.sock"])


def test_help_is_exit_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["--help"]) == 0 and map.main(["--help"]) == 0
    assert "Exit code: 0 good, 1 bad, 2 unknown" in " ".join(capsys.readouterr().out.split())
