"""What is told of incidents: in the words of the verdict, with an id that every replica derives alike."""

import msgspec
import pytest

from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog, IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeBook, NoticeRecord, incident_notice
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
    later = msgspec.structs.replace(flapping.changes[-1], became="merged")
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
