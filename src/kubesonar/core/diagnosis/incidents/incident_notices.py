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
    Became.MERGED.value: Condition.MERGED,
}

_BEGINS = (
    Condition.DEAD,
    Condition.GONE,
    Condition.FROZEN,
    Condition.OPENED,
    Condition.CHANGED,
    Condition.RETURNED,
    Condition.FLAPPING,
)
_ENDS = (Condition.BACK, Condition.LEFT, Condition.CLOSED)

SILENT_PARTS = (
    "node",
    "node_in",
    "node_out",
    "pod_network",
    "pod_network_in",
    "pod_network_out",
    "agent_gone",
    "agent_frozen",
    "agent_displaced",
)
"""Parts whose fault makes a member silent, which a coordinator tells as dead, gone or frozen."""

_SAME_EVENT = 60.0
"""Seconds between two notices of one event. Longer, and another event at the same node is taken for it; shorter, and
one that a slow diagnosis finds is told twice."""

_SENTENCES = {
    Condition.RETURNED: "again: {sentence}",
    Condition.FLAPPING: "again, {times} times by now: {sentence}",
    Condition.CLOSED: "over after {lasted:.0f} s: {sentence}",
    Condition.MERGED: "not well, but part of what is told otherwise after {lasted:.0f} s: {sentence}",
    Condition.LEFT: "gone after {lasted:.0f} s, as {subject} was deleted: {sentence}",
}
"""Sentences that are said beside the finding's own."""


class NoticeRecord(msgspec.Struct, frozen=True):
    """A notice as it is kept: when it was `delivered` to all receivers or given up (Unix seconds, None: not yet), and
    `same`, the id of the notice by which the same event was told, empty where it is told by this one."""

    schema: int
    notice: Notice
    delivered: UnixTime | None = None
    same: str = ""

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


def about_incident(notice: Notice) -> bool:
    """Return whether a notice is about an incident; else a coordinator of members has made it."""
    return bool(notice.incident)


def may_repeat(notice: Notice) -> bool:
    """Return whether what a coordinator tells by it may be told as an incident too, and the other way round."""
    return notice.component in ("member", "node", "incident") and notice.what in (*_BEGINS, *_ENDS)


def same_event(one: Notice, other: Notice) -> bool:
    """Return whether both tell that the same node or member fell ill, or is well again: one about an incident there,
    the other about the member, within a minute."""
    if about_incident(one) == about_incident(other) or not (may_repeat(one) and may_repeat(other)):
        return False
    alike = any(one.what in kind and other.what in kind for kind in (_BEGINS, _ENDS))
    return alike and abs(one.at - other.at) <= _SAME_EVENT and bool(_places(one) & _places(other))


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

    def latest(self) -> list[NoticeRecord]:
        """Return the last notice about each incident, and about each other subject."""
        ordered = sorted(self.records.values(), key=lambda record: record.notice.at)
        return list({record.notice.incident or record.notice.subject: record for record in ordered}.values())

    def twins(self, notice: Notice) -> list[NoticeRecord]:
        """Return the notices that tell the same event, which no later one has ended, and that repeat no other
        themselves."""
        return [record for record in self.latest() if not record.same and same_event(record.notice, notice)]

    @property
    def waiting(self) -> list[NoticeRecord]:
        """The notices that are not delivered, the oldest first."""
        waiting = [record for record in self.records.values() if record.delivered is None]
        return sorted(waiting, key=lambda record: record.notice.at)


def _places(notice: Notice) -> set[str]:
    """Return the node or members that are silent by it."""
    if about_incident(notice):
        return {notice.subject.partition(" ")[0]} if notice.part in SILENT_PARTS else set()
    return {notice.subject, *notice.members} | ({notice.node} if notice.node else set())
