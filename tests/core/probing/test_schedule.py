from collections import Counter

from kubesonar.core.hash_ring import place
from kubesonar.core.probing.schedule import Plan, Schedule
from kubesonar.model import Check, Kind, Path


def check(name: str, period: float = 5.0) -> Check:
    return Check(id=name, kind=Kind.TCP, path=Path.POD, target=name, address="127.0.0.1", period=period)


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
