"""What is told of incidents: in the words of the verdict, with an id that every replica derives alike."""

import msgspec
import pytest

from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog, IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import (
    SILENT_PARTS,
    NoticeBook,
    NoticeRecord,
    incident_notice,
    same_event,
)
from kubesonar.core.diagnosis.parts.table import PARTS
from kubesonar.model import Condition, Finding, Health, Notice, Severity, Verdict

START = 1_700_000_000.0
SICK = Finding("node", "node-3", "dead", START, 0.9, "node-3 is dead", ("8 of 8 agree",), severity=Severity.CRITICAL)


def records(*looks: tuple[int, bool]) -> list[IncidentRecord]:
    """The records that were kept in looks each second: so many with the finding, or without."""
    log, now, kept = IncidentLog(), START, []
    for seconds, sick in looks:
        for _ in range(seconds):
            now += 1
            kept += log.step(now, Verdict(Health.BAD if sick else Health.GOOD, "", now, (SICK,) if sick else ()))
    return kept


def told(record: IncidentRecord) -> Notice:
    return incident_notice(record, record.changes[-1], "collector-1", "prod-eu")


def test_a_notice_says_what_the_verdict_said_and_what_became_of_it() -> None:
    opened, closed, again = (told(one) for one in records((5, True), (10, False), (5, True)))
    assert (opened.what, opened.sentence, opened.severity, opened.part) == (
        Condition.OPENED,
        "node-3 is dead",
        "critical",
        "node",
    )
    assert (opened.subject, opened.evidence, opened.component, opened.cluster) == (
        "node-3",
        ("8 of 8 agree",),
        "incident",
        "prod-eu",
    )
    assert (closed.what, closed.sentence) == (Condition.CLOSED, "over after 8 s: node-3 is dead")
    assert (again.what, again.sentence) == (Condition.RETURNED, "again: node-3 is dead")
    assert len({opened.incident, closed.incident, again.incident}) == 1
    assert len({opened.id, closed.id, again.id}) == 3


def test_every_replica_derives_the_same_id() -> None:
    (record,) = records((5, True))
    other = incident_notice(record, record.changes[-1], "collector-2", "")
    assert other.id == told(record).id


def test_the_often_returning_is_counted_and_what_a_later_version_knows_is_told_as_other() -> None:
    flapping = records((5, True), (10, False), (5, True), (10, False), (5, True), (10, False), (5, True))[-1]
    assert told(flapping).sentence == "again, 3 times by now: node-3 is dead"
    later = msgspec.structs.replace(flapping.changes[-1], became="split")
    assert incident_notice(flapping, later, "", "").what is Condition.OTHER


def notice(number: int, *, delivered: bool) -> NoticeRecord:
    own = Notice(f"{number:04x}", Condition.OPENED, "a", START + number, "a is dead")
    return NoticeRecord(1, own, START if delivered else None)


@pytest.mark.parametrize("waits", [0, 5])
def test_of_too_many_the_oldest_that_are_delivered_are_forgotten(waits: int) -> None:
    book = NoticeBook()
    for number in range(3000):
        book.take([notice(number, delivered=number >= waits)])
    assert len(book.records) == 2000
    assert [one.notice.at for one in book.waiting] == [START + number for number in range(waits)]
    assert f"{2999:04x}" in book.records


def test_what_is_gone_is_forgotten_and_what_is_delivered_waits_no_more() -> None:
    book = NoticeBook()
    book.take([notice(1, delivered=False), notice(2, delivered=False)])
    book.take([notice(1, delivered=True)])
    assert [one.id for one in book.waiting] == ["0002"]
    book.take([], ["0002", "unknown"])
    assert [*book.records] == ["0001"]


DEAD = Notice("d1", Condition.DEAD, "node-3-pod", START + 5, "node-3-pod is dead", "node-3", members=("node-3-pod",))


def incident(what: Condition, subject: str, part: str = "node", at: float = START) -> Notice:
    return Notice("i1", what, subject, at, "", component="incident", incident="00ff", part=part)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (DEAD, incident(Condition.OPENED, "node-3"), True),
        (DEAD, incident(Condition.RETURNED, "node-3-pod", "agent_gone"), True),
        (DEAD, incident(Condition.OPENED, "node-3 IPv6"), True),
        (DEAD, incident(Condition.OPENED, "node-2"), False),
        (DEAD, incident(Condition.CLOSED, "node-3"), False),
        (DEAD, incident(Condition.OPENED, "node-3", at=START + 66), False),
        (DEAD, incident(Condition.OPENED, "node-3", "conntrack_full"), False),
        (DEAD, incident(Condition.OPENED, "node-1>node-3", "pair"), False),
        (DEAD, msgspec.structs.replace(DEAD, id="d2"), False),
        (msgspec.structs.replace(DEAD, what=Condition.BACK), incident(Condition.CLOSED, "node-3"), True),
        (msgspec.structs.replace(DEAD, what=Condition.LEFT), incident(Condition.LEFT, "node-3"), True),
        (msgspec.structs.replace(DEAD, what=Condition.SUSPECT), incident(Condition.OPENED, "node-3"), False),
        (msgspec.structs.replace(DEAD, component="coordinator"), incident(Condition.OPENED, "node-3"), False),
    ],
)
def test_one_event_is_one_place_that_falls_ill_or_is_well_within_a_minute(
    one: Notice, other: Notice, same: bool
) -> None:
    assert same_event(one, other) is same
    assert same_event(other, one) is same


def test_what_ended_since_is_not_the_event_that_is_told_now() -> None:
    book = NoticeBook()
    opened, closed = incident(Condition.OPENED, "node-3"), incident(Condition.CLOSED, "node-3", at=START + 3)
    book.take([NoticeRecord(1, opened)])
    assert [one.notice for one in book.twins(DEAD)] == [opened]
    book.take([NoticeRecord(1, msgspec.structs.replace(closed, id="i2"))])
    assert book.twins(DEAD) == []
    book.take([NoticeRecord(1, msgspec.structs.replace(opened, id="i3", at=START + 6), None, "d0")])
    assert book.twins(DEAD) == []


def test_the_parts_that_make_a_member_silent_are_parts() -> None:
    assert set(SILENT_PARTS) <= {part.name for part in PARTS}
