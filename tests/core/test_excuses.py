from __future__ import annotations

from kubesonar.core.excuses import StateDates
from kubesonar.model import Member, Roster, State

A = Member("a", "a", ("10.0.0.1",), 7473)
DRAINING = Member("b", "b", ("10.0.0.2",), 7473, state=State.DRAINING)
SERVING = Member("b", "b", ("10.0.0.2",), 7473)


def dates(machine: StateDates, now: float, *members: Member) -> list[float]:
    return [member.since for member in machine.dated(Roster("1", members), now).members]


def test_a_state_is_dated_when_it_is_first_seen_and_keeps_its_date() -> None:
    machine = StateDates()
    assert dates(machine, 100.0, A, SERVING) == [0.0, 0.0]
    assert dates(machine, 110.0, A, DRAINING) == [0.0, 110.0]
    assert dates(machine, 150.0, A, DRAINING) == [0.0, 110.0]
    assert dates(machine, 160.0, A, SERVING) == [0.0, 160.0]


def test_the_first_roster_dates_excuses_only_and_a_later_one_who_joins() -> None:
    machine = StateDates()
    assert dates(machine, 100.0, A, DRAINING) == [0.0, 100.0]
    joining = Member("c", "c", ("10.0.0.3",), 7473)
    assert dates(machine, 130.0, A, DRAINING, joining) == [0.0, 100.0, 130.0]


def test_an_empty_first_roster_knows_nobody_yet() -> None:
    machine = StateDates()
    assert dates(machine, 90.0) == []
    assert dates(machine, 100.0, A) == [0.0]


def test_the_date_of_the_source_stays() -> None:
    machine = StateDates()
    unready = Member("b", "b", ("10.0.0.2",), 7473, state=State.NOT_READY, since=42.0)
    assert dates(machine, 100.0, unready) == [42.0]
    assert dates(machine, 110.0, unready) == [42.0]
