"""Every scenario goes as its file says, to the millisecond."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from kubesonar.apps.simulate import SHIPPED
from kubesonar.sim.playing import Player
from kubesonar.sim.scenario import ScenarioError, parse

FILES = sorted([*SHIPPED.glob("*.txt"), *(Path(__file__).parent / "scenarios").glob("*.txt")])


def play(text: str, **changed: int) -> tuple[list[str], list[str]]:
    said: list[str] = []
    player = Player(parse(text), Random, said.append, **changed)
    player.play()
    return said, player.complaints


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_goes_as_written(path: Path) -> None:
    said, complaints = play(path.read_text())
    assert "\n".join(said) + "\n" == path.read_text()
    assert complaints == []
    assert parse(path.read_text()).title


def test_another_seed_is_another_run_and_other_members_are_more_lines() -> None:
    text = (SHIPPED / "kill.txt").read_text()
    assert play(text, seed=77)[0] != play(text)[0]
    assert any("of 20 members" in line for line in play(text, members=20)[0])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("run 5s", 'line 1: "members" has to come before "run"'),
        ("members 0", 'line 1: "0" is no number from 1 to 10000'),
        ("members 3\nmembers 3", 'line 2: "members" can be said only once'),
        ("members 3\nkil m1", 'line 2: unknown command "kil", expected one of seed, set'),
        ("members 3\nkill m9", 'line 2: there is no member "m9"'),
        ("members 3\ncut m1>x", 'line 2: there is no member "x"'),
        ("members 3\nkill", 'line 2: "kill" is not of the form kill MEMBER …'),
        ("members 3\nrun soon", 'line 2: "soon" is no time, expected a number with ms, s, m or h, 7 days at most'),
        ("members 3\nloss 200%", 'line 2: "200%" is no share, expected 0% to 100%'),
        ("members 3\nstate m1 asleep", 'line 2: "asleep" is no state, expected one of serving'),
        ("members 3\nlease m1 perhaps", 'line 2: "perhaps" is not one of mine, other, unknown'),
        ("members 3\nkill coordinator", "line 2: there is no coordinator with a majority at this moment"),
        ("set election.higest true", "line 1: set election.higest true: Object contains unknown field"),
        ("set suspicion.watched 99", "line 1: set suspicion.watched 99: Expected `int` <= 16"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_line(text: str, complaint: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        play(text)
    assert str(raised.value).startswith(complaint)
