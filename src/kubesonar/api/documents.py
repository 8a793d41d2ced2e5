"""The documents of a collector's API, under /api/v1."""

from __future__ import annotations

import msgspec

from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeRecord
from kubesonar.core.telemetry.reports.short_history import HistorySeries
from kubesonar.model import Edge, Member, Snapshot, Verdict
from kubesonar.views.matrix import Matrix

API_SCHEMA = 1
"""Version of the documents under /api/v1; raised when a reader of the version before could misread one."""


class CollectorMember(msgspec.Struct, frozen=True):
    """A member, how many seconds ago it reported (None: never), and why its reports do not count now (empty: they
    do)."""

    member: Member
    reported: float | None
    unread: str


class MemberDocument(msgspec.Struct, frozen=True):
    """A member as in `CollectorMember`, and what it last said of itself, without roster and edges: troubles, what its
    kernel lacks room for, and its facts; None where it never reported."""

    schema: int
    member: Member
    reported: float | None
    unread: str
    said: Snapshot | None


class VerdictDocument(msgspec.Struct, frozen=True):
    """The verdict. `durable` is empty while incidents are kept durably, else why they are not; `replica` answers, and
    `leader` is the one that decides what becomes of incidents, empty where none is known."""

    schema: int
    verdict: Verdict
    durable: str
    replica: str = ""
    leader: str = ""


class IncidentPage(msgspec.Struct, frozen=True):
    """Incidents, the latest first; `next` is what to give as `after` for the next page, empty on the last."""

    schema: int
    incidents: tuple[IncidentRecord, ...]
    next: str


class NoticePage(msgspec.Struct, frozen=True):
    """Notices, the latest first, and `next` as in `IncidentPage`."""

    schema: int
    notices: tuple[NoticeRecord, ...]
    next: str


class MemberPage(msgspec.Struct, frozen=True):
    """Members by name, and `next` as in `IncidentPage`."""

    schema: int
    members: tuple[CollectorMember, ...]
    next: str


class EdgeSummary(msgspec.Struct, frozen=True):
    """One edge of a member, without its trials and its past."""

    source: str
    edge: Edge


class EdgePage(msgspec.Struct, frozen=True):
    """Edges by source and id of the check, and `next` as in `IncidentPage`."""

    schema: int
    edges: tuple[EdgeSummary, ...]
    next: str


class EdgeDocument(msgspec.Struct, frozen=True):
    """All that is known of the edges from one member to one target: their trials of the last minute, and the minutes
    of a quarter of an hour before."""

    schema: int
    source: str
    target: str
    edges: tuple[Edge, ...]


class HistoryPage(msgspec.Struct, frozen=True):
    """Series of one value each `step` seconds, by part and subject, and `next` as in `IncidentPage`."""

    schema: int
    step: float
    series: tuple[HistorySeries, ...]
    next: str


class MatrixDocument(msgspec.Struct, frozen=True):
    """The map of who reaches whom, a matrix for each network."""

    schema: int
    at: float
    matrices: tuple[Matrix, ...]


class StatesDocument(msgspec.Struct, frozen=True):
    """The members that are not expected to answer, and those that did not report; why, by name."""

    schema: int
    excused: dict[str, str]
    unread: dict[str, str]
