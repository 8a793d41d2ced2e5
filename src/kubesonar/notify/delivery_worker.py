"""Delivers the outbox's entries for one receiver."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from kubesonar.core.delivery.http_outcome import Outcome
from kubesonar.core.delivery.retry_queue import (
    DeliveryAction,
    DeliveryEvent,
    DeliveryFigures,
    DeliveryOptions,
    DeliveryQueued,
    DeliveryTried,
    RetryQueue,
    TryDelivery,
)
from kubesonar.model import Notice
from kubesonar.net.clock import Clock
from kubesonar.notify.outbox import Outbox
from kubesonar.notify.outbox_entry import OutboxEntry
from kubesonar.notify.webhook import Receiver, Webhook
from kubesonar.runtime.drive import Drive
from kubesonar.runtime.logs import Changes
from kubesonar.runtime.supervise import Supervisor

if TYPE_CHECKING:
    from random import Random

_LOG = logging.getLogger("kubesonar.notify")


class DeliveryWorker:
    """Drives the retry queue of one receiver, from its creation (on the running loop) to `stop`. `done` is called with
    the id of each notice that was delivered or dropped. `idle` is set while no entry waits."""

    def __init__(
        self,
        receiver: Receiver,
        outbox: Outbox,
        options: DeliveryOptions,
        supervisor: Supervisor,
        clock: Clock,
        rng: Random,
        done: Callable[[str], None],
    ) -> None:
        self.name = receiver.name
        self.own = receiver.own
        self._receiver = receiver
        self._outbox = outbox
        self._supervisor = supervisor
        self._clock = clock
        self._done = done
        self._webhook = Webhook(receiver, clock)
        self._entries: dict[int, OutboxEntry] = {}
        self._ids: set[str] = set()
        self.idle = asyncio.Event()
        self.idle.set()
        self._delivered = 0
        self._failed = 0
        self._dropped: Counter[str] = Counter()
        self._changes = Changes(_LOG)
        self._stopped = False
        machine = RetryQueue(options, rng)
        self._drive: Drive[DeliveryEvent, DeliveryAction] = Drive(machine, clock, self._act, lambda _: None)

    def waits(self, id: str) -> bool:
        """Return whether the notice of that id is still to be delivered."""
        return id in self._ids

    def offer(self, notice: Notice) -> None:
        """Put a notice into the outbox and deliver it, unless this receiver does not want it or already waits for
        it."""
        only = self._receiver.only
        if (only and notice.what not in only) or self.waits(notice.id):
            return
        body = self._receiver.format(notice)
        if body is not None:
            self.deliver(self._outbox.add(self.name, notice.id, notice.subject, body))

    def renew(self, notice: Notice) -> None:
        """Deliver a notice again to a receiver that forgets, unless one about its subject waits already."""
        if self._receiver.forgets and all(entry.subject != notice.subject for entry in self._entries.values()):
            self.offer(notice)

    def deliver(self, entry: OutboxEntry) -> None:
        """Queue an entry of the outbox for delivery."""
        self._entries[entry.seq] = entry
        self._ids.add(entry.id)
        self.idle.clear()
        age = max(0.0, self._clock.wall() - entry.told)
        self._drive.feed(DeliveryQueued(entry.seq, entry.subject, self._clock.mono() - age))

    def figures(self) -> DeliveryFigures:
        """Return what was delivered, failed and dropped since the start, and what waits now."""
        now = self._clock.wall()
        oldest = max((now - entry.told for entry in self._entries.values()), default=0.0)
        return DeliveryFigures(
            self.name, self._delivered, self._failed, dict(self._dropped), len(self._entries), max(0.0, oldest)
        )

    def stop(self) -> None:
        """Begin no further try."""
        self._stopped = True
        self._drive.stop()
        self._webhook.close()

    def _act(self, action: DeliveryAction) -> None:
        if isinstance(action, TryDelivery):
            self._supervisor.run_once(f"webhook {self.name}", self._try(self._entries[action.seq]))
            return
        entry = self._entries.pop(action.seq)
        self._ids.discard(entry.id)
        self._outbox.remove(action.seq)
        if action.dropped:
            self._dropped[action.dropped] += 1
            _LOG.error("webhook %s: notice %s was dropped: %s", self.name, entry.id, action.dropped)
        else:
            self._delivered += 1
        self._done(entry.id)
        if not self._entries:
            self.idle.set()

    async def _try(self, entry: OutboxEntry) -> None:
        outcome = Outcome(detail="the try was broken off")
        try:
            outcome = await self._webhook.post(entry.id, entry.body)
        finally:
            self._settle(entry, outcome)

    def _settle(self, entry: OutboxEntry, outcome: Outcome) -> None:
        if not outcome.delivered:
            self._failed += 1
        if not self._stopped:
            self._changes.note(f"webhook {self.name}", "" if outcome.delivered else outcome.sentence)
            self._drive.feed(DeliveryTried(entry.seq, outcome))
