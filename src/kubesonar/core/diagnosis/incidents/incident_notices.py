"""Notices of what becomes of incidents, in the words of the verdict, and what is kept of notices."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256

import msgspec

from kubesonar.core.diagnosis.incidents.casebook import Became
from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord, RecordedChange
from kubesonar.model import Condition, Notice, UnixTime

NOTICE_SCHEMA = 1
"""Version of a notice's record in a store; raised when a reader of the version before could misread it."""

_MOST = 2000
"""Most notices that are remembered; the oldest is forgotten first, of those that are delivered. Fewer, and a restless
day is not told whole; more, and they take memory."""

_ID = 32
"""Hex digits of a notice's id: 128 bits, as of those about members."""

_BECAME = {
    Became.OPENED.value: Condition.OPENED,
    Became.CHANGED.value: Condition.CHANGED,
    Became.RETURNED.value: Condition.RETURNED,
    Became.FLAPPING.value: Condition.FLAPPING,
    Became.CLOSED.value: Condition.CLOSED,
    Became.LEFT.value: Condition.LEFT,
}

_SENTENCES = {
    Condition.RETURNED: "again: {sentence}",
    Condition.FLAPPING: "again, {times} times by now: {sentence}",
    Condition.CLOSED: "over after {lasted:.0f} s: {sentence}",
    Condition.LEFT: "gone after {lasted:.0f} s, as {subject} was deleted: {sentence}",
}
"""What is said beside the finding's own sentence."""


class NoticeRecord(msgspec.Struct, frozen=True):
    """A notice as it is kept: when it was `delivered` to all receivers or given up (Unix seconds, None: not yet)."""

    schema: int
    notice: Notice
    delivered: UnixTime | None = None

    @property
    def id(self) -> str:
        """The id of the notice."""
        return self.notice.id


def incident_notice(record: IncidentRecord, change: RecordedChange, replica: str, cluster: str) -> Notice:
    """Return the notice, told by `replica`, of what became of an incident by this change. Its id follows from the
    record, so that every replica tells it with the same."""
    finding, what = record.finding, _BECAME.get(change.became, Condition.OTHER)
    words = _SENTENCES.get(what, "{sentence}")
    lasted = max(0.0, change.at - record.since)
    return Notice(
        id=sha256(f"{record.id} {change.became} {change.at:.3f}".encode()).hexdigest()[:_ID],
        what=what,
        subject=finding.subject,
        at=change.at,
        sentence=words.format(sentence=change.sentence, lasted=lasted, subject=finding.subject, times=record.returns),
        since=record.since,
        evidence=finding.evidence,
        coordinator=replica,
        cluster=cluster,
        component="incident",
        incident=record.id,
        part=finding.part,
        severity=finding.severity.value,
    )


class NoticeBook:
    """The notices of one cluster. `records` is by id, the oldest first."""

    def __init__(self) -> None:
        self.records: dict[str, NoticeRecord] = {}

    def take(self, records: Collection[NoticeRecord], gone: Collection[str] = ()) -> None:
        """Remember these, in place of those with the same ids, and forget those that are `gone` (by id)."""
        for id in gone:
            self.records.pop(id, None)
        self.records |= {record.id: record for record in records}
        surplus = len(self.records) - _MOST
        if surplus > 0:
            oldest = sorted(self.records.values(), key=lambda record: (record.delivered is None, record.notice.at))
            for record in oldest[:surplus]:
                del self.records[record.id]

    @property
    def waiting(self) -> list[NoticeRecord]:
        """The notices that are not delivered, the oldest first."""
        waiting = [record for record in self.records.values() if record.delivered is None]
        return sorted(waiting, key=lambda record: record.notice.at)
