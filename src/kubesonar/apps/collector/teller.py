"""Tells receivers what becomes of incidents and members, while this replica decides: one event once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec.structs import replace

from kubesonar.apps.collector.replica import Replica
from kubesonar.apps.collector.replicas.wire import Records
from kubesonar.config import ConfigError
from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import (
    NOTICE_SCHEMA,
    NoticeRecord,
    about_incident,
    incident_notice,
    may_repeat,
)
from kubesonar.model import Notice
from kubesonar.net.clock import Clock
from kubesonar.notify.log import log_notice
from kubesonar.notify.options import NotifyOptions
from kubesonar.notify.webhooks import Webhooks
from kubesonar.runtime.supervise import Supervisor
from kubesonar.views.metrics.exposition import Metric, Series
from kubesonar.views.metrics.webhooks import webhook_families
from kubesonar.views.page.links import notice_href

_DURABLE = 3.0
"""Seconds for which a notice waits until it is durable, so that whoever goes on tells it with the same id. Longer, and
an outage of the store delays what is told; shorter, and a slow one lets a notice be told again under another id."""

_JUST_NOW = 60.0
"""Seconds after which what became of an incident is no news, when its record is kept anew."""

_HOLD = 6.0
"""Seconds for which what a coordinator says of a member waits for an incident of the same. Longer, and what is no
incident is told late; shorter, and one event is told twice where diagnosis takes longer."""

_HEAR = 2.0
"""Seconds after which a replica that begins to lead tells: coordinators say first what they told meanwhile. Longer, and
a change of leaders delays what is told; shorter, and it is told again."""

_LOOK = 0.25
"""Seconds between two looks at what is held."""

_RENEWAL = 60.0
"""Seconds between two times that what is open is told again to receivers that forget. Longer, and an Alertmanager
that restarted lacks them for as long; shorter, and it is asked more."""

_RENEWED_END = 900.0
"""Seconds for which an end is told again to those."""


class IncidentTeller:
    """Makes notices of what `replica` decides, keeps them with it as an outbox, and delivers them to the receivers of
    `options`, with a link to the page at that address (empty: without). Raises ConfigError for receivers that cannot be
    used."""

    def __init__(
        self,
        options: NotifyOptions,
        cluster: str,
        page: str,
        replica: Replica,
        supervisor: Supervisor,
        clock: Clock,
    ) -> None:
        if options.directory:
            raise ConfigError("notify.directory: expected none, because a collector has its outbox in its store")
        if options.receivers and not cluster:
            raise ConfigError("cluster: expected a name, because notify.receivers are told of which cluster")
        self._options = options
        self._cluster = cluster
        self._page = page.rstrip("/")
        self._replica = replica
        self._supervisor = supervisor
        self._clock = clock
        self._queue: asyncio.Queue[Notice] = asyncio.Queue()
        self._held: dict[str, float] = {}
        self._webhooks = self._made()

    def decided(self, incidents: Collection[IncidentRecord]) -> None:
        """Keep what became of incidents, with the notices of it, and tell it once it is durable: not what a coordinator
        has told already, and in place of what it has handed over and was not told yet. Without receivers nothing is
        told here, and all that coordinators told of it repeats it."""
        book = self._replica.book
        records: list[NoticeRecord] = []
        for notice in self._news(incidents):
            if notice.id in book.records:
                continue
            twins = book.twins(notice)
            told = next((one for one in twins if one.id not in self._held), None)
            if told is not None and self._options.receivers:
                records.append(self._told(notice, told.id))
                continue
            records.append(NoticeRecord(NOTICE_SCHEMA, notice))
            records += (self._told(one.notice, notice.id) for one in twins)
        self._keep(records, incidents)

    async def hand_over(self, notice: Notice, told: bool) -> bool | None:
        """Take a notice over from a coordinator, which has `told` it already or not; return whether it is told here,
        None where another replica leads, or one may by the time the notice was to be held by others too. Without
        receivers it is remembered only, where it is about a member."""
        if not self._replica.decides():
            return None
        book = self._replica.book
        known = book.records.get(notice.id)
        if not self._options.receivers:
            if known is None and may_repeat(notice):
                self._keep([self._told(notice, next((twin.id for twin in book.twins(notice)), ""))])
            return False
        if known is not None:
            if told and known.delivered is None:
                self._keep([self._told(notice, known.same)])
        else:
            twins = book.twins(notice)
            if told:
                waiting = [self._told(one.notice, notice.id) for one in twins if one.delivered is None]
                self._keep([self._told(notice, ""), *waiting])
            elif twins:
                self._keep([self._told(notice, twins[0].id)])
            else:
                self._hold(notice)
                self._keep([NoticeRecord(NOTICE_SCHEMA, notice)])
        await self._replica.settled(_DURABLE)
        return True if self._replica.decides() else None

    async def tell(self) -> None:
        """Tell what waits, and what is decided from now on, until cancelled."""
        self._queue, self._held = asyncio.Queue(), {}
        self.take_over(self._replica.book.waiting)
        webhooks = self._webhooks = self._made()
        await webhooks.start()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._deliver(webhooks))
                group.create_task(self._release())
                group.create_task(self._renew(webhooks))
        finally:
            await webhooks.stop()

    def take_over(self, records: Iterable[NoticeRecord]) -> None:
        """Tell those of a predecessor's notices that are not delivered."""
        for record in records:
            if record.delivered is None:
                self._hold(record.notice)
                self._put(record)

    def families(self) -> Iterator[tuple[Metric, Series]]:
        """Yield the metrics of delivery, while this replica tells."""
        if self._replica.decides():
            yield from webhook_families(self._webhooks.figures(), "")

    def _told(self, notice: Notice, same: str) -> NoticeRecord:
        return NoticeRecord(NOTICE_SCHEMA, notice, self._clock.wall(), same)

    def _hold(self, notice: Notice) -> None:
        """Let what may be told as an incident wait for that, whose words say more."""
        if may_repeat(notice) and not about_incident(notice):
            self._held[notice.id] = self._clock.mono() + _HOLD

    def _keep(self, records: Sequence[NoticeRecord], incidents: Collection[IncidentRecord] = ()) -> None:
        self._replica.keep(Records(tuple(incidents), tuple(records)))
        for record in records:
            self._put(record)

    def _put(self, record: NoticeRecord) -> None:
        """Have a notice delivered, unless it is told already or held."""
        if record.delivered is not None:
            self._held.pop(record.id, None)
        elif record.id not in self._held:
            self._queue.put_nowait(record.notice)

    async def _release(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            now, book = self._clock.mono(), self._replica.book.records
            for id in [id for id, due in self._held.items() if due <= now]:
                del self._held[id]
                if id in book:
                    self._put(book[id])

    async def _deliver(self, webhooks: Webhooks) -> None:
        await asyncio.sleep(_HEAR)
        while True:
            notices = [await self._queue.get()]
            await self._replica.settled(_DURABLE)
            while not self._queue.empty():
                notices.append(self._queue.get_nowait())
            for notice in notices:
                record = self._replica.book.records.get(notice.id)
                if self._replica.decides() and record is not None and record.delivered is None:
                    linked = self._linked(notice)
                    log_notice(linked)
                    await webhooks.notify(linked)

    async def _renew(self, webhooks: Webhooks) -> None:
        while True:
            await asyncio.sleep(_RENEWAL)
            now = self._clock.wall()
            for record in self._replica.book.latest():
                notice = record.notice
                if not record.same and (not notice.what.ends or now - notice.at <= _RENEWED_END):
                    webhooks.renew(replace(self._linked(notice), at=now))

    def _news(self, incidents: Iterable[IncidentRecord]) -> Iterator[Notice]:
        since = self._clock.wall() - _JUST_NOW
        return (self._notice(one) for one in incidents if one.changes and one.changes[-1].at >= since)

    def _notice(self, record: IncidentRecord) -> Notice:
        return incident_notice(record, record.changes[-1], self._replica.name, self._cluster)

    def _linked(self, notice: Notice) -> Notice:
        """Return a notice with the address of its view; it is told with the address of today, however old it is."""
        return replace(notice, page=self._page + notice_href(notice)) if self._page else notice

    def _delivered(self, id: str) -> None:
        record = self._replica.book.records.get(id)
        if record is not None and record.delivered is None:
            done = replace(record, delivered=self._clock.wall())
            self._replica.keep(Records(notices=(done,)))

    def _made(self) -> Webhooks:
        return Webhooks(self._options, {}, self._supervisor, self._clock, random.SystemRandom(), self._delivered)
