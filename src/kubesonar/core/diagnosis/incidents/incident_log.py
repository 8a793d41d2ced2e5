"""Incidents as they are kept: each with an id, what became of it, and what it looked like then."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Annotated

import msgspec

from kubesonar.core.diagnosis.incidents.casebook import RESUMED, SAME, Casebook, Incident
from kubesonar.model import Finding, UnixTime, Verdict

RECORD_SCHEMA = 1
"""Version of a record in a store; raised when a reader of the version before could misread it."""

KEPT_ANEW = 30.0
"""Seconds after which the record of an open incident is kept anew though nothing became of it. Longer, and a successor
knows older evidence; shorter, and the store writes more."""

_MOST_CHANGES = 200
"""Changes kept of one incident; the oldest but the first is dropped. More, and one that flaps for days outgrows what a
store takes."""

_MOST_RECORDS = 5000
"""Records kept in memory; the oldest closed one is dropped. Fewer, and history is short; more, and it takes memory."""

_ID = 16
"""Hex digits of an id: 64 bits, so that no two incidents of one cluster share one."""


class RecordedChange(msgspec.Struct, frozen=True):
    """A change of an incident `at` that time (Unix seconds): what became of it, and its sentence then."""

    at: UnixTime
    became: str
    sentence: str


class IncidentRecord(msgspec.Struct, frozen=True):
    """One incident: its latest finding, since when it lasts, when it was opened and `closed` (None while it is open),
    when it was last seen, how often it came back, and its changes, oldest first. Times are Unix seconds."""

    schema: int
    id: Annotated[str, msgspec.Meta(max_length=64)]
    finding: Finding
    since: UnixTime
    opened: UnixTime
    seen: UnixTime
    closed: UnixTime | None = None
    returns: int = 0
    changes: tuple[RecordedChange, ...] = ()


class IncidentLog:
    """All incidents of one cluster, with the casebook that decides what becomes of them. `records` is by id, the oldest
    first."""

    def __init__(self) -> None:
        self.records: dict[str, IncidentRecord] = {}
        self._casebook = Casebook()
        self._ids: dict[int, str] = {}

    @property
    def casebook(self) -> Casebook:
        """The casebook, as the last verdict left it."""
        return self._casebook

    def resume(self, records: Iterable[IncidentRecord], now: float) -> None:
        """Go on at `now` with what was kept: of each part the latest incident that is open or closed lately. One that
        was open is held to be so for some seconds."""
        self._load(records, now, now + RESUMED)

    def follow(self, records: Iterable[IncidentRecord], now: float) -> None:
        """Hold what another log, which decides, has kept by `now`, in place of everything before."""
        self._load(records, now, None)

    def _load(self, records: Iterable[IncidentRecord], now: float, seen: float | None) -> None:
        kept = sorted(records, key=lambda record: record.opened)[-_MOST_RECORDS:]
        self.records = {record.id: record for record in kept}
        self._ids = {}
        latest: dict[tuple[str, str], Incident] = {}
        for number, record in enumerate(kept, 1):
            incident = Incident(
                number,
                record.finding,
                record.since,
                record.opened,
                record.seen if record.closed is not None or seen is None else seen,
                record.closed,
                record.returns,
            )
            if record.closed is None or now - record.closed <= SAME:
                latest[incident.key] = incident
                self._ids[number] = record.id
        self._casebook = Casebook(latest.values(), self._casebook.well)

    def step(self, now: float, verdict: Verdict) -> list[IncidentRecord]:
        """Return the records that are to be kept anew, those first of which something became by this verdict."""
        changed: dict[str, IncidentRecord] = {}
        for change in self._casebook.step(now, verdict):
            record = self._record(change.incident)
            told = RecordedChange(now, change.became.value, change.incident.finding.sentence)
            changes = (*record.changes, told)
            if len(changes) > _MOST_CHANGES:
                changes = (changes[0], *changes[2:])
            changed[record.id] = msgspec.structs.replace(record, changes=changes)
        for incident in self._casebook.open:
            record = self._record(incident)
            before = self.records.get(record.id)
            if record.id not in changed and before is not None and record.seen - before.seen >= KEPT_ANEW:
                changed[record.id] = record
        self.records |= changed
        self._forget()
        return list(changed.values())

    def current(self) -> list[IncidentRecord]:
        """Return all records, the oldest first, the open ones with what was seen since they were kept."""
        seen = {record.id: record for record in map(self._record, self._casebook.open)}
        return [seen.get(id, record) for id, record in self.records.items()]

    def _record(self, incident: Incident) -> IncidentRecord:
        id = self._ids.setdefault(incident.number, _id(incident))
        before = self.records.get(id)
        return IncidentRecord(
            RECORD_SCHEMA,
            id,
            incident.finding,
            incident.since,
            incident.opened,
            incident.seen,
            incident.closed,
            incident.returns,
            before.changes if before is not None else (),
        )

    def _forget(self) -> None:
        surplus = len(self.records) - _MOST_RECORDS
        closed = [id for id, record in self.records.items() if record.closed is not None] if surplus > 0 else []
        for id in closed[:surplus]:
            del self.records[id]
        if closed:
            self._ids = {number: id for number, id in self._ids.items() if id in self.records}


def _id(incident: Incident) -> str:
    part, subject = incident.key
    return sha256(f"{part} {subject} {incident.opened:.3f}".encode("utf-8", "surrogatepass")).hexdigest()[:_ID]
