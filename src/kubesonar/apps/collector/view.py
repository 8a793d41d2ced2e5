"""Shows a collector and the cluster by the collector's API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable

from kubesonar import __version__
from kubesonar.api.documents import API_SCHEMA, CollectorMember, MatrixDocument, StatesDocument
from kubesonar.apps.collector.judge import Judge
from kubesonar.apps.collector.judging_client import JudgingClient
from kubesonar.apps.collector.replica import Replica
from kubesonar.apps.collector.teller import IncidentTeller
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog, IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeRecord
from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.reports.mirrors import Mirrors
from kubesonar.core.telemetry.reports.short_history import ShortHistory
from kubesonar.core.telemetry.state_log import StateLog, StateSpan
from kubesonar.model import Member, Notice, Snapshot, Verdict
from kubesonar.net.clock import Clock
from kubesonar.reports.intake import Intake
from kubesonar.runtime.proc import process_usage
from kubesonar.views.matrix import natural
from kubesonar.views.metrics.collector import CollectorFacts, collector_families
from kubesonar.views.metrics.exposition import Exposition

_BEAT = 10.0
"""Seconds after which a client that follows changes gets a comment. Longer, and one that has gone is noticed later;
longer than proxies wait, and they cut the stream."""

_STREAM = 50.0
"""Seconds after which a stream ends, within the time that a client has for its response; the client begins another."""

_QUEUE = 256
"""Changes that wait for one client; one that takes fewer begins anew. More, and a slow client takes memory."""


class LiveCollectorView:
    """The `api.collector_view.CollectorView` of a running collector; at most `streams` clients follow changes.
    People open the page at the address `page`, empty where it is not known."""

    def __init__(
        self,
        mirrors: Mirrors,
        log: IncidentLog,
        judge: Judge,
        judging: JudgingClient,
        replica: Replica,
        teller: IncidentTeller,
        intake: Intake,
        clock: Clock,
        streams: int,
        page: str,
    ) -> None:
        self._mirrors = mirrors
        self._log = log
        self._judge = judge
        self._judging = judging
        self._replica = replica
        self._teller = teller
        self._intake = intake
        self._clock = clock
        self._streams = streams
        self._page = page.rstrip("/")
        self._followers: set[asyncio.Queue[bytes]] = set()
        self._exposition = Exposition()
        self._states = StateLog()
        self._not_ready = ""
        self._said = ""

    def now(self) -> float:
        """Return the time (Unix seconds)."""
        return self._clock.wall()

    def leaving(self) -> None:
        """Report not ready from now on."""
        self._not_ready = "leaving"

    def tell(self, records: list[IncidentRecord]) -> None:
        """Pass incidents on to those that follow changes, and the verdict's sentence where it is another. To be called
        after each judgement: what states members are in is remembered then."""
        self._states.step(self._clock.wall(), self._mirrors.members())
        latest = self._judge.latest
        events = [b"event: incident\ndata: " + encode_json(record) + b"\n\n" for record in records]
        if latest is not None and latest.verdict.sentence != self._said:
            self._said = latest.verdict.sentence
            events.append(b"event: verdict\ndata: " + encode_json(latest.verdict) + b"\n\n")
        for queue in list(self._followers):
            for event in events:
                if queue.full():
                    self._followers.discard(queue)
                else:
                    queue.put_nowait(event)

    def ready(self) -> str:
        """Return why the collector is not ready, empty where it is."""
        return self._not_ready or self._replica.lacks

    def verdict(self) -> Verdict | None:
        """Return the latest verdict, None before the first."""
        return self._judge.latest.verdict if self._judge.latest else None

    def durable(self) -> str:
        """Return why incidents are not durable now, empty where they are."""
        return self._replica.trouble

    def replicas(self) -> tuple[str, str]:
        """Return the names of this replica and of the one that leads, empty where none is known."""
        return self._replica.name, self._replica.leader

    def incidents(self) -> Iterable[IncidentRecord]:
        """Return all incidents, the latest first."""
        return reversed(self._log.current())

    def outbox(self) -> Iterable[NoticeRecord]:
        """Return all notices as they are kept, the latest first."""
        return sorted(self._replica.book.records.values(), key=lambda record: record.notice.at, reverse=True)

    def members(self) -> Iterable[CollectorMember]:
        """Return all members by name."""
        now = self._clock.wall()
        unread = self._mirrors.unread(now)
        known: dict[str, Member] = {member.name: member for member in self._mirrors.members()}
        seen = {mirror.member.name: now - mirror.seen for mirror in self._mirrors.all()}
        known |= {mirror.member.name: mirror.member for mirror in self._mirrors.all()}
        for name in sorted(known, key=natural):
            yield CollectorMember(known[name], seen.get(name), unread.get(name, ""))

    def said(self, name: str) -> Snapshot | None:
        """Return what a member last said of itself, without roster and edges, None where it never reported."""
        mirror = self._mirrors.mirror(name)
        return mirror.report.head if mirror is not None else None

    async def snapshot(self, name: str) -> Snapshot | None:
        """Return the snapshot of a member as it would give it now, None where it never reported."""
        return await self._judging.snapshot(name)

    def history(self) -> ShortHistory:
        """Return the series of the last day."""
        return self._mirrors.history

    async def snapshots(self) -> Iterable[Snapshot]:
        """Return the snapshots of all members that report, with their edges to plain targets only, and no roster."""
        return await self._judging.snapshots()

    def state_spans(self, since: float) -> Iterable[StateSpan]:
        """Return when nodes were in other states than serving, as far as that lasted after `since` (Unix seconds)."""
        return self._states.spans(since)

    def notices(self) -> Iterable[Notice]:
        """Return what receivers were told, the latest first."""
        return (record.notice for record in self.outbox())

    async def matrix(self) -> MatrixDocument | None:
        """Return who reaches whom, None before the first verdict."""
        return await self._judging.matrix() if self._judge.latest is not None else None

    def states(self) -> StatesDocument:
        """Return who need not answer, and who did not report."""
        latest = self._judge.latest
        excused = latest.excused if latest is not None else {}
        return StatesDocument(API_SCHEMA, excused, self._mirrors.unread(self._clock.wall()))

    def metrics(self, *, openmetrics: bool) -> bytes:
        """Return the metrics as OpenMetrics or as Prometheus text."""
        usage, latest = process_usage(), self._judge.latest
        facts = CollectorFacts(
            version=__version__,
            page=self._page,
            taken=self._mirrors.taken,
            refused=self._intake.refused,
            reporting=len(self._mirrors),
            interval=self._mirrors.interval,
            lost_trials=self._mirrors.dropped,
            judging=latest.took if latest else 0.0,
            judge_resident=latest.resident if latest else 0,
            judge_cpu=latest.cpu if latest else 0.0,
            leads=self._replica.decides(),
            waiting=self._replica.waiting,
            untold=len(self._replica.book.waiting),
            dropped=self._replica.dropped,
            resident=usage.resident,
            cpu=usage.cpu,
        )
        families = collector_families(self.verdict(), self._log.records.values(), self._mirrors.levels, facts)
        return self._exposition.render([*families, *self._teller.families()], openmetrics=openmetrics)

    def changes(self) -> AsyncGenerator[bytes, None] | None:
        """Return server-sent events of changes from now on, None where too many clients follow them."""
        return None if len(self._followers) >= self._streams else self._follow()

    async def _follow(self) -> AsyncGenerator[bytes, None]:
        queue: asyncio.Queue[bytes] = asyncio.Queue(_QUEUE)
        self._followers.add(queue)
        verdict = self.verdict()
        until = self._clock.mono() + _STREAM
        try:
            yield b"retry: 1000\n\n"
            if verdict is not None:
                yield b"event: verdict\ndata: " + encode_json(verdict) + b"\n\n"
            while queue in self._followers and self._clock.mono() < until:
                try:
                    async with asyncio.timeout(_BEAT):
                        yield await queue.get()
                except TimeoutError:
                    yield b": all is as before\n\n"
        finally:
            self._followers.discard(queue)
