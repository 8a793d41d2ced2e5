"""`kubesonar simulate`, as a person and as a script meet it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubesonar.apps.simulate import SHIPPED
from kubesonar.cli import main
from kubesonar.sim.scenario import WORDS

DOCS = Path(__file__).parents[2] / "docs/simulate.md"


def test_without_an_argument_the_shipped_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == sorted(path.stem for path in SHIPPED.glob("*.txt"))
    assert all(len(line.split()) > 5 for line in listed)


def test_the_page_shows_what_really_happens(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "freeze"]) == 0
    shown = re.search(r"\$ kubesonar simulate freeze\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert shown is not None
    assert capsys.readouterr().out == shown[1]


def test_the_page_has_every_command() -> None:
    assert [verb for verb in WORDS if f"`{verb}" not in DOCS.read_text()] == []


def test_a_transcript_is_a_scenario_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "kill", "--transcript"]) == 0
    text = capsys.readouterr().out
    (tmp_path / "again.txt").write_text(text)
    assert main(["simulate", str(tmp_path / "again.txt"), "--transcript"]) == 0
    assert capsys.readouterr().out == text


def test_a_run_that_differs_from_its_transcript_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.txt"
    path.write_text((SHIPPED / "kill.txt").read_text().replace("m3 is gone", "m3 is dead"))
    assert main(["simulate", str(path)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert "expected" in said[0]
    assert "m3 is dead" in said[0]
    assert "m3 is gone" in said[1]
    assert main(["simulate", str(path), "--seed", "9"]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing-like-it"], "nothing-like-it: No such file or directory, and no scenario of that name comes with"),
        (["x" * 300], "File name too long, and no scenario of that name comes with"),
        (["/etc"], "/etc: Is a directory, and no scenario of that name comes with"),
        (["kill", "--members", "2"], 'kill: line 7: there is no member "m3"'),
    ],
)
def test_mistakes_are_one_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_members_and_minutes_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "kill", "--members", "30", "--minutes", "1"]) == 0
    assert "hears 30 of 30 members" in capsys.readouterr().out
