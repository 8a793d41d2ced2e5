"""Incidents and notices at a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeRecord
from kubesonar.model import Condition, Finding, Notice
from kubesonar.views.terminal.history import history_view
from tests.views.drawn import drawn

SICK = Finding("node", "node-3", "cut", 100.0, 0.9, "node-3 is cut off")
RECORD = IncidentRecord(1, "aa", SICK, 100.0, 100.0, 160.0, 160.0, 0)


def shown(records: Sequence[IncidentRecord], notices: Sequence[NoticeRecord]) -> list[str]:
    return drawn(history_view(records, notices, 200.0, "1h", lambda at: f"{at:.0f}"), 200)


def about(id: str, at: float, incident: str = "", same: str = "") -> NoticeRecord:
    return NoticeRecord(1, Notice(id, Condition.DEAD, "node-3", at, f"told at {at:.0f}", incident=incident), at, same)


def test_a_notice_about_an_incident_is_a_word_of_it() -> None:
    assert shown([RECORD], [about("n", 101.0, "aa"), about("m", 160.0, "aa")]) == [
        "100 to 160 (60 s)  warning  [aa]",
        "    node-3 is cut off",
        "    notices: dead 101, dead 160",
    ]


def test_one_that_repeats_another_is_not_told_twice() -> None:
    assert shown([RECORD], [about("n", 101.0, same="m")]) == shown([RECORD], [])


def test_notices_are_told_also_where_there_was_no_incident() -> None:
    assert shown([], [about("n", 150.0)]) == ["no incident in the last 1h", "150  notice: dead", "    told at 150"]


def test_of_one_that_flaps_the_latest_are_listed() -> None:
    told = [about(f"{at}", float(at), "aa") for at in range(101, 121)]
    assert shown([RECORD], told)[2] == "    notices: 12 earlier, " + ", ".join(f"dead {at}" for at in range(113, 121))


@pytest.mark.parametrize(("returns", "said"), [(0, ""), (1, ", came back once"), (2, ", came back 2 times")])
def test_it_is_told_how_often_one_came_back(returns: int, said: str) -> None:
    back = msgspec.structs.replace(RECORD, returns=returns)
    assert shown([back], [])[0] == f"100 to 160 (60 s)  warning{said}  [aa]"
