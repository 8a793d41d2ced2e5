"""Tells receivers what becomes of incidents, while this replica decides: once each, or again with the same id."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Iterable, Iterator

from msgspec.structs import replace

from kubesonar.apps.collector.replica import Replica
from kubesonar.apps.collector.replicas.wire import Records
from kubesonar.config import ConfigError
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog, IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NOTICE_SCHEMA, NoticeRecord, incident_notice
from kubesonar.model import Notice
from kubesonar.net.clock import Clock
from kubesonar.notify.log import LogNotifier
from kubesonar.notify.notifier import Notifiers
from kubesonar.notify.options import NotifyOptions
from kubesonar.notify.webhooks import Webhooks
from kubesonar.runtime.supervise import Supervisor
from kubesonar.views.metrics.exposition import Metric, Series
from kubesonar.views.metrics.webhooks import webhook_families

_DURABLE = 3.0
"""Seconds for which a notice waits until it is durable, so that whoever goes on tells it with the same id. Longer, and
an outage of the store delays what is told; shorter, and a slow one lets a notice be told again under another id."""

_JUST_NOW = 60.0
"""Seconds after which what became of an incident is no news, when its record is kept anew."""

_RENEWAL = 60.0
"""Seconds between two times that open incidents are told again to receivers that forget. Longer, and an Alertmanager
that restarted lacks them for as long; shorter, and it is asked more."""

_RENEWED_END = 900.0
"""Seconds for which the end of an incident is told again to those."""


class IncidentTeller:
    """Makes notices of what `replica` decides, keeps them with it as an outbox, and delivers them to the receivers of
    `options`. Raises ConfigError for receivers that cannot be used."""

    def __init__(
        self,
        options: NotifyOptions,
        cluster: str,
        replica: Replica,
        log: IncidentLog,
        supervisor: Supervisor,
        clock: Clock,
    ) -> None:
        if options.directory:
            raise ConfigError("notify.directory: expected none, because a collector has its outbox in its store")
        if options.receivers and not cluster:
            raise ConfigError("cluster: expected a name, because notify.receivers are told of which cluster")
        self._options = options
        self._cluster = cluster
        self._replica = replica
        self._log = log
        self._supervisor = supervisor
        self._clock = clock
        self._queue: asyncio.Queue[Notice] = asyncio.Queue()
        self._webhooks = self._made()

    def decided(self, incidents: Collection[IncidentRecord]) -> None:
        """Keep what became of incidents, with the notices of it, and tell it once it is durable."""
        new = [notice for notice in self._news(incidents) if notice.id not in self._replica.book.records]
        self.take(new, incidents)

    def take(self, notices: Iterable[Notice], incidents: Collection[IncidentRecord] = ()) -> None:
        """Keep these records and notices, and tell the notices once they are durable."""
        records = tuple(NoticeRecord(NOTICE_SCHEMA, notice) for notice in notices)
        self._replica.keep(Records(tuple(incidents), records))
        for record in records:
            self._queue.put_nowait(record.notice)

    async def tell(self) -> None:
        """Tell what waits, and what is decided from now on, until cancelled."""
        self._queue = asyncio.Queue()
        for record in self._replica.book.waiting:
            self._queue.put_nowait(record.notice)
        webhooks = self._webhooks = self._made()
        await webhooks.start()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._deliver(Notifiers([LogNotifier(), webhooks])))
                group.create_task(self._renew(webhooks))
        finally:
            await webhooks.stop()

    def families(self) -> Iterator[tuple[Metric, Series]]:
        """Yield the metrics of delivery, while this replica tells."""
        if self._replica.decides():
            yield from webhook_families(self._webhooks.figures(), "")

    async def _deliver(self, notifier: Notifiers) -> None:
        while True:
            notices = [await self._queue.get()]
            await self._replica.settled(_DURABLE)
            while not self._queue.empty():
                notices.append(self._queue.get_nowait())
            for notice in notices:
                if self._replica.decides():
                    await notifier.notify(notice)

    async def _renew(self, webhooks: Webhooks) -> None:
        while True:
            await asyncio.sleep(_RENEWAL)
            now = self._clock.wall()
            for record in self._log.records.values():
                if record.changes and (record.closed is None or now - record.closed <= _RENEWED_END):
                    webhooks.renew(replace(self._notice(record), at=now))

    def _news(self, incidents: Iterable[IncidentRecord]) -> Iterator[Notice]:
        since = self._clock.wall() - _JUST_NOW
        return (self._notice(one) for one in incidents if one.changes and one.changes[-1].at >= since)

    def _notice(self, record: IncidentRecord) -> Notice:
        return incident_notice(record, record.changes[-1], self._replica.name, self._cluster)

    def _delivered(self, id: str) -> None:
        record = self._replica.book.records.get(id)
        if record is not None and record.delivered is None:
            done = replace(record, delivered=self._clock.wall())
            self._replica.keep(Records(notices=(done,)))

    def _made(self) -> Webhooks:
        return Webhooks(self._options, {}, self._supervisor, self._clock, random.SystemRandom(), self._delivered)
