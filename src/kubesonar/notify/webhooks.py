"""Posts notices to all receivers of webhooks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from kubesonar.core.delivery.retry_queue import DeliveryFigures
from kubesonar.model import Notice
from kubesonar.net.clock import Clock
from kubesonar.net.http.proxy.environment import NO_PROXIES, Proxies
from kubesonar.notify.delivery_worker import DeliveryWorker
from kubesonar.notify.formats import Format
from kubesonar.notify.options import NotifyOptions
from kubesonar.notify.outbox import Outbox
from kubesonar.notify.outbox_entry import OutboxEntry
from kubesonar.notify.receivers import configured
from kubesonar.runtime.supervise import Supervisor

if TYPE_CHECKING:
    from random import Random

_LOG = logging.getLogger("kubesonar.notify")


class Webhooks:
    """Delivers each notice to each receiver at least once, notices of one subject in order. Raises ConfigError for
    receivers that cannot be used. `start` it on the running loop, and `stop` it.

    `formats` are those that a receiver's option may name besides native and alertmanager; `done` is called with the id
    of each notice once no receiver waits for it any more. `proxies` lead to the receivers."""

    def __init__(
        self,
        options: NotifyOptions,
        formats: Mapping[str, Format],
        supervisor: Supervisor,
        clock: Clock,
        rng: Random,
        done: Callable[[str], None] = lambda _: None,
        proxies: Proxies = NO_PROXIES,
    ) -> None:
        self._options = options
        self._receivers = configured(options, formats, proxies)
        self._supervisor = supervisor
        self._clock = clock
        self._rng = rng
        self._done = done
        self._workers: dict[str, DeliveryWorker] = {}
        limit = options.delivery.pending * max(1, len(self._receivers))
        self._outbox = Outbox(options.directory, limit, clock, self._found)

    async def start(self) -> None:
        """Begin to deliver, first the entries that a process before left in the outbox."""
        for receiver in self._receivers:
            self._workers[receiver.name] = DeliveryWorker(
                receiver, self._outbox, self._options.delivery, self._supervisor, self._clock, self._rng, self._settled
            )
        await self._outbox.open()
        self._supervisor.run_forever("outbox", self._outbox.run)

    async def notify(self, notice: Notice, *, handed: bool = False) -> None:
        """Take the notice over; one whose id is still held is delivered once. After the return it survives the death of
        this process, where the outbox is on a disk that works. The first try does not wait for the disk. A notice that
        was `handed` to another program goes to those receivers only whose format that does not have."""
        for worker in self._workers.values():
            if worker.own or not handed:
                worker.offer(notice)
        self._settled(notice.id)
        await self._outbox.settled()

    def renew(self, notice: Notice) -> None:
        """Deliver a notice that still holds, or that ended lately, to the receivers that forget (Alertmanager)."""
        for worker in self._workers.values():
            worker.renew(notice)

    @property
    def trouble(self) -> str:
        """The reason why the outbox is not on disk though it should be; empty while it is."""
        return self._outbox.trouble

    def figures(self) -> list[DeliveryFigures]:
        """Return the figures of each receiver."""
        return [worker.figures() for worker in self._workers.values()]

    async def stop(self, grace: float = 0.0) -> None:
        """Wait at most `grace` seconds for what is not yet delivered, begin no further try and close the outbox. Call
        it before the supervisor is stopped, which breaks off the tries under way: they are made again after the next
        start."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                for worker in self._workers.values():
                    await worker.idle.wait()
        for worker in self._workers.values():
            worker.stop()
        await self._outbox.close()

    def _settled(self, id: str) -> None:
        if not any(worker.waits(id) for worker in self._workers.values()):
            self._done(id)

    def _found(self, entries: list[OutboxEntry]) -> None:
        strangers = 0
        for entry in entries:
            worker = self._workers.get(entry.receiver)
            if worker is None:
                self._outbox.remove(entry.seq)
                strangers += 1
            else:
                worker.deliver(entry)
        if strangers:
            _LOG.warning("the outbox held %d notices for receivers that are no longer there; dropped", strangers)
