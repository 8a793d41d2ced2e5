from kubesonar.core.diagnosis.incidents.casebook import HOLD, SAME, WELL
from kubesonar.core.diagnosis.incidents.incident_log import KEPT_ANEW, IncidentLog, IncidentRecord
from kubesonar.model import Finding, Health, Verdict

START = 1_700_000_000.0
SICK = Finding("node", "node-3", "dead", START, 0.9, "node-3 is dead")
OTHER = Finding("pair", "a>b", "loss", START, 0.9, "the way from a to b loses packets", loss=0.5)


def verdict(*findings: Finding, health: Health | None = None) -> Verdict:
    return Verdict(health or (Health.BAD if findings else Health.GOOD), "", START, findings)


def after(log: IncidentLog, begin: float, seconds: int, *findings: Finding) -> list[IncidentRecord]:
    """The records that are to be kept in so many seconds in which that is found each second."""
    return [record for second in range(seconds) for record in log.step(begin + second, verdict(*findings))]


def test_an_incident_has_an_id_from_its_beginning_to_its_end() -> None:
    log = IncidentLog()
    (opened,) = after(log, START, 10, SICK)
    (closed,) = after(log, START + 10, 10)
    assert opened.id == closed.id
    assert (opened.closed, closed.closed is not None) == (None, True)
    assert [change.became for change in closed.changes] == ["opened", "closed"]
    assert closed.changes[0].sentence == "node-3 is dead"


def test_an_open_incident_is_kept_anew_now_and_then_with_what_was_seen_last() -> None:
    log = IncidentLog()
    records = after(log, START, 100, SICK)
    assert len({record.id for record in records}) == 1
    assert len(records) == 1 + int((100 - HOLD) // KEPT_ANEW)
    assert [record.seen for record in log.current()] == [START + 99]


def test_a_successor_goes_on_with_the_same_ids() -> None:
    before = IncidentLog()
    (first,) = after(before, START, 10, SICK)
    after(before, START, 10, SICK, OTHER)
    successor = IncidentLog()
    successor.resume(before.records.values(), START + 20)
    assert after(successor, START + 20, 5, SICK, OTHER) == []
    found = after(successor, START + 25, 30, OTHER)
    assert [(record.id, record.changes[-1].became) for record in found if record.closed] == [(first.id, "closed")]


def test_an_incident_that_was_open_is_not_closed_before_agents_have_reported() -> None:
    before = IncidentLog()
    after(before, START, 10, SICK)
    successor = IncidentLog()
    successor.resume(before.records.values(), START + 100)
    assert [record for record in after(successor, START + 100, 12) if record.closed] == []
    assert after(successor, START + 112, 5)[-1].closed is not None


def test_a_successor_closes_what_is_over_though_some_members_are_heard_by_nobody() -> None:
    before = IncidentLog()
    after(before, START, 10, SICK)
    successor = IncidentLog()
    successor.resume(before.records.values(), START + 20)
    unknown = Verdict(Health.UNKNOWN, "", START, unheard=frozenset({"node-1-host"}))
    kept = [record for second in range(20) for record in successor.step(START + 20 + second, unknown)]
    assert [record.changes[-1].became for record in kept if record.closed] == ["closed"]


def test_what_comes_back_soon_is_the_same_incident_also_for_a_successor_and_later_another() -> None:
    before = IncidentLog()
    after(before, START, 10, SICK)
    (closed,) = after(before, START + 10, 10)
    soon, late = IncidentLog(), IncidentLog()
    soon.resume(before.records.values(), START + 60)
    (returned,) = after(soon, START + 60, 5, SICK)
    assert (returned.id, returned.returns) == (closed.id, 1)
    late.resume(before.records.values(), START + SAME + 100)
    (another,) = after(late, START + SAME + 100, 5, SICK)
    assert another.id != closed.id
    assert list(late.records) == [closed.id, another.id]


def test_one_that_flaps_for_days_keeps_its_beginning_and_its_latest_changes() -> None:
    log = IncidentLog()
    step = int(HOLD + WELL) + 3
    for turn in range(150):
        after(log, START + 2 * step * turn, step, SICK)
        after(log, START + 2 * step * turn + step, step)
    (record,) = log.records.values()
    assert len(record.changes) == 200
    assert record.changes[0].became == "opened"
    assert record.changes[-1].at > START + 2 * step * 149
