"""The protocol by which a collector's API and page read it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Protocol

from kubesonar.api.documents import CollectorMember, MatrixDocument, StatesDocument
from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeRecord
from kubesonar.core.telemetry.reports.short_history import ShortHistory
from kubesonar.model import Snapshot, Verdict


class EvidenceAway(Exception):
    """Raised while the agents' reports cannot be read, as what keeps them is being started; the message is a clause."""


class CollectorView(Protocol):
    """The parts of a collector that its API reads. Methods without `async` return at once; those with it raise
    EvidenceAway."""

    def ready(self) -> str:
        """Return why the collector is not ready, empty where it is."""
        ...

    def verdict(self) -> Verdict | None:
        """Return the latest verdict, None before the first."""
        ...

    def durable(self) -> str:
        """Return why incidents are not durable now, empty where they are."""
        ...

    def replicas(self) -> tuple[str, str]:
        """Return the names of this replica and of the one that leads, empty where none is known."""
        ...

    def incidents(self) -> Iterable[IncidentRecord]:
        """Return all incidents, the latest first."""
        ...

    def outbox(self) -> Iterable[NoticeRecord]:
        """Return all notices as they are kept, the latest first."""
        ...

    def members(self) -> Iterable[CollectorMember]:
        """Return all members by name."""
        ...

    def said(self, name: str) -> Snapshot | None:
        """Return what a member last said of itself, without roster and edges, None where it never reported."""
        ...

    async def snapshot(self, name: str) -> Snapshot | None:
        """Return the snapshot of a member as it would give it now, None where it never reported."""
        ...

    def history(self) -> ShortHistory:
        """Return the series of the last day."""
        ...

    async def matrix(self) -> MatrixDocument | None:
        """Return who reaches whom, None before the first verdict."""
        ...

    def states(self) -> StatesDocument:
        """Return who need not answer, and who did not report."""
        ...

    def metrics(self, *, openmetrics: bool) -> bytes:
        """Return the metrics as OpenMetrics or as Prometheus text."""
        ...

    def changes(self) -> AsyncGenerator[bytes, None] | None:
        """Return server-sent events of changes from now on, None where too many clients follow them."""
        ...
