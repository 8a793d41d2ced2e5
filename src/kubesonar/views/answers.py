"""JSON documents of `check --json`, `map --json` (docs/check.md) and `history --json` (docs/collector.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeRecord
from kubesonar.core.encoding import format_json
from kubesonar.model import SCHEMA, Condition, Finding, Health, Severity, State, Verdict
from kubesonar.views.cells import PathCell
from kubesonar.views.matrix import Matrix

TimeFormat = Callable[[float], str | None]
"""A function from Unix seconds to an RFC 3339 time stamp; None where no such date exists."""


class FindingAnswer(msgspec.Struct, frozen=True):
    """A `model.Finding` with `since` as a time stamp, null where the beginning is not known. `confidence` is cut after
    three decimals: rounding could show 1."""

    part: str
    fault: str
    subject: str
    since: str | None
    confidence: float
    sentence: str
    severity: Severity
    evidence: tuple[str, ...]
    against: tuple[str, ...]
    alike: tuple[str, ...]
    rivals: tuple[str, ...]
    because: tuple[str, ...]
    confirm: str


class VerdictAnswer(msgspec.Struct, frozen=True):
    """A `model.Verdict` with time stamps."""

    schema: int
    verdict: Health
    sentence: str
    at: str | None
    findings: tuple[FindingAnswer, ...]
    unknown: tuple[str, ...]
    states: tuple[str, ...]
    observers: int
    members: int


class MemberAnswer(msgspec.Struct, frozen=True):
    """A member on the map; `unread` says why its snapshot is missing, and is empty where it is there."""

    name: str
    node: str
    zone: str
    state: State
    reason: str
    unread: str


class NetworkAnswer(msgspec.Struct, frozen=True):
    """One network of the map: its members, the plain targets that they probe, and a cell for each probed pair."""

    network: str
    members: tuple[MemberAnswer, ...]
    targets: tuple[str, ...]
    cells: tuple[PathCell, ...]


class MapAnswer(msgspec.Struct, frozen=True):
    """The map: which member reaches which member and target."""

    schema: int
    at: str | None
    networks: tuple[NetworkAnswer, ...]


def verdict_json(verdict: Verdict, stamp: TimeFormat) -> bytes:
    """Return one indented document without a final newline."""
    answer = VerdictAnswer(
        schema=SCHEMA,
        verdict=verdict.verdict,
        sentence=verdict.sentence,
        at=stamp(verdict.at),
        findings=tuple(_finding(finding, stamp) for finding in verdict.findings),
        unknown=verdict.unknown,
        states=verdict.states,
        observers=verdict.observers,
        members=verdict.members,
    )
    return format_json(answer)


def map_json(matrices: Sequence[Matrix], at: float, stamp: TimeFormat) -> bytes:
    """Return one indented document without a final newline."""
    answer = MapAnswer(SCHEMA, stamp(at), tuple(_network(matrix) for matrix in matrices))
    return format_json(answer)


class IncidentChangeAnswer(msgspec.Struct, frozen=True):
    """A change of an incident: what became of it, when, and its sentence then."""

    at: str | None
    became: str
    sentence: str


class IncidentAnswer(msgspec.Struct, frozen=True):
    """An incident with time stamps; `closed` is null while it is open."""

    id: str
    since: str | None
    opened: str | None
    closed: str | None
    returns: int
    finding: FindingAnswer
    changes: tuple[IncidentChangeAnswer, ...]


class NoticeAnswer(msgspec.Struct, frozen=True):
    """A notice with time stamps. `incident` is the id of the incident that it is about, empty for one about a member;
    `delivered` is null while receivers wait for it; `same` is the id of the notice by which the event was told, empty
    where it is this one."""

    id: str
    at: str | None
    what: Condition
    subject: str
    sentence: str
    incident: str
    delivered: str | None
    same: str


class HistoryAnswer(msgspec.Struct, frozen=True):
    """Incidents and notices, the oldest first."""

    schema: int
    incidents: tuple[IncidentAnswer, ...]
    notices: tuple[NoticeAnswer, ...]


def history_json(records: Sequence[IncidentRecord], notices: Sequence[NoticeRecord], stamp: TimeFormat) -> bytes:
    """Return one indented document without a final newline."""
    incidents = tuple(
        IncidentAnswer(
            id=record.id,
            since=stamp(record.since),
            opened=stamp(record.opened),
            closed=None if record.closed is None else stamp(record.closed),
            returns=record.returns,
            finding=_finding(record.finding, stamp),
            changes=tuple(IncidentChangeAnswer(stamp(one.at), one.became, one.sentence) for one in record.changes),
        )
        for record in records
    )
    return format_json(HistoryAnswer(SCHEMA, incidents, tuple(_notice(record, stamp) for record in notices)))


def _notice(record: NoticeRecord, stamp: TimeFormat) -> NoticeAnswer:
    notice = record.notice
    return NoticeAnswer(
        id=notice.id,
        at=stamp(notice.at),
        what=notice.what,
        subject=notice.subject,
        sentence=notice.sentence,
        incident=notice.incident,
        delivered=None if record.delivered is None else stamp(record.delivered),
        same=record.same,
    )


def _finding(finding: Finding, stamp: TimeFormat) -> FindingAnswer:
    return FindingAnswer(
        part=finding.part,
        fault=finding.fault,
        subject=finding.subject,
        since=None if finding.since is None else stamp(finding.since),
        confidence=int(1000 * finding.confidence) / 1000,
        sentence=finding.sentence,
        severity=finding.severity,
        evidence=finding.evidence,
        against=finding.against,
        alike=finding.alike,
        rivals=finding.rivals,
        because=finding.because,
        confirm=finding.confirm,
    )


def _network(matrix: Matrix) -> NetworkAnswer:
    members = tuple(
        MemberAnswer(m.name, m.node, m.zone, m.state, m.reason, matrix.unread.get(m.name, "")) for m in matrix.members
    )
    return NetworkAnswer(matrix.network.value, members, matrix.targets, matrix.cells)
