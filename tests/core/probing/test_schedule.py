from collections import Counter
from itertools import pairwise

import pytest

from kubesonar.core.hash_ring import place
from kubesonar.core.probing.schedule import Plan, Schedule
from kubesonar.model import Check, Kind, Path


def check(name: str, period: float = 5.0, kind: Kind = Kind.TCP) -> Check:
    return Check(id=name, kind=kind, path=Path.POD, target=name, address="127.0.0.1", period=period)


def run(schedule: Schedule, until: float, now: float = 1000.0) -> list[tuple[float, str]]:
    """Steps when the schedule asks for it, as the runtime does; what was launched when."""
    launched = [(now, c.id) for c in schedule.step(now)]
    while (due := schedule.due) is not None and due <= until:
        launched += [(due, c.id) for c in schedule.step(due)]
    return launched


def test_each_check_runs_once_a_period() -> None:
    schedule = Schedule("me")
    schedule.step(1000.0, Plan(tuple(check(f"c{i}") for i in range(40))))
    counts = Counter(name for _, name in run(schedule, 1050.0))
    assert set(counts.values()) == {10}


def test_checks_are_spread_over_the_period() -> None:
    schedule = Schedule("me")
    schedule.step(1000.0, Plan(tuple(check(f"c{i}") for i in range(400))))
    launched = run(schedule, 1005.0)
    by_time = Counter(when // 0.05 for when, _ in launched)
    assert max(by_time.values()) <= 20  # 400 in 100 parts


def test_members_do_not_line_up() -> None:
    schedules = [Schedule(f"m{i}") for i in range(50)]
    for schedule in schedules:
        schedule.step(1000.0, Plan((check("target"),)))
    first = [schedule.due for schedule in schedules]
    assert len(set(first)) > 40


def test_a_new_set_of_checks_keeps_the_phase_of_those_that_stay() -> None:
    schedule = Schedule("me")
    schedule.step(
        1000.0,
        Plan(
            (
                check("a"),
                check("b"),
            )
        ),
    )
    times = {name: when for when, name in run(schedule, 1005.0)}
    schedule.step(
        1005.1,
        Plan(
            (
                check("b"),
                check("c"),
            )
        ),
    )
    later = run(schedule, 1010.2, now=1005.1)
    assert {name for _, name in later} == {"b", "c"}
    assert any(name == "b" and abs(when - times["b"] - 5) < 0.03 for when, name in later)


def test_a_missed_turn_is_made_up_once() -> None:
    schedule = Schedule("me")
    schedule.step(1000.0, Plan((check("a", period=1.0),)))
    assert [c.id for c in schedule.step(1060.0)] == ["a"]
    assert schedule.due is not None
    assert schedule.due > 1060.0


def test_without_checks_nothing_is_due() -> None:
    schedule = Schedule("me")
    assert schedule.step(0.0, Plan(())) == []
    assert schedule.due is None


def test_a_check_that_is_due_exactly_now_is_launched_once() -> None:
    for number in range(200):
        schedule, one = Schedule("me"), check(f"c{number}", period=0.1)
        exactly = place(f"me {one.id}") / 2**64 * 0.1 + 0.1 * 10_000_000
        schedule.step(exactly - 0.05, Plan((one,)))
        launched = [c.id for now in (exactly, exactly + 0.01) for c in schedule.step(now)]
        assert launched == [one.id]


def mesh(period: float = 2.5) -> list[Check]:
    return [check(f"{kind} {number}", period, kind) for kind in (Kind.UDP, Kind.HTTP) for number in range(10)]


def launches(together: float, checks: list[Check], seconds: float) -> dict[str, list[float]]:
    """When each check was made."""
    schedule = Schedule("me", together)
    schedule.step(1000.0, Plan(tuple(checks)))
    found: dict[str, list[float]] = {one.id: [] for one in checks}
    for when, name in run(schedule, 1000.0 + seconds):
        found[name].append(when)
    return found


def test_checks_that_the_kernel_stamps_are_made_together_and_never_later_for_it() -> None:
    apart, together = launches(0.0, mesh(), 250.0), launches(0.5, mesh(), 250.0)
    for name in apart:
        # The first one may have been made before its time, and the one after the last.
        assert abs(len(apart[name]) - len(together[name])) <= 1
        due = apart[name][len(apart[name]) - min(len(apart[name]), len(together[name])) :]
        early = [at - made for at, made in zip(due, together[name][-len(due) :], strict=True)]
        assert all(-1e-6 <= one % 2.5 <= 0.5 + 1e-6 or one % 2.5 > 2.5 - 1e-6 for one in early)
        if name.startswith(Kind.HTTP):
            assert together[name] == apart[name]
    times = [
        {at for name, times in made.items() if name.startswith(Kind.UDP) for at in times} for made in (apart, together)
    ]
    assert len(times[0]) > 900 > 600 > len(times[1])


@pytest.mark.parametrize("period", [0.06, 0.25, 2.5, 60.0])
def test_no_check_is_made_more_often_or_rarely_for_company(period: float) -> None:
    made = launches(0.5, mesh(period), 20 * period)
    for times in made.values():
        assert 19 <= len(times) <= 21
        assert all(0.79 * period <= after - before <= 1.21 * period for before, after in pairwise(times))


def test_no_check_is_made_twice_at_once_after_the_process_did_not_run() -> None:
    schedule = Schedule("me", 0.5)
    schedule.step(1000.0, Plan(tuple(mesh())))
    for turn in range(1, 50):
        made = [one.id for one in schedule.step(1000.0 + 7.3 * turn)]
        assert len(made) == len({*made})
