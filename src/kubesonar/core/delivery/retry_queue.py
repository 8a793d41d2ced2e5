"""Decides when to try which delivery of one receiver's outbox: at least once, in order for each subject.

Failures are told apart by whose trouble they are, because each needs another patience:

- the receiver's (no answer, 408, 425, 429, 502, 503, 504): everything waits, then one is tried at a time until one
  succeeds;
- this delivery's (any other status, a redirect or a refused signature too): it is tried again later, and what was not
  yet tried goes first;
- its content's (400, 409, 413, 415, 422): no later try can mend it, so after a few it is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import msgspec

from kubesonar.core.delivery.http_outcome import Blame, Outcome
from kubesonar.model import Seconds

if TYPE_CHECKING:
    from random import Random


class DeliveryOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The patience with which one receiver is tried."""

    first: Annotated[
        Seconds, msgspec.Meta(gt=0, le=60, description="Longest pause after a first failure; it doubles with each.")
    ] = 1.0
    longest: Annotated[Seconds, msgspec.Meta(gt=0, le=3600, description="Longest pause between two tries.")] = 60.0
    longest_asked: Annotated[
        Seconds, msgspec.Meta(ge=0, le=86_400, description="Longest pause that a receiver may ask for (Retry-After).")
    ] = 600.0
    keep: Annotated[
        Seconds, msgspec.Meta(gt=0, le=604_800, description="A notice that was not delivered for so long is dropped.")
    ] = 86_400.0
    content_tries: Annotated[
        int, msgspec.Meta(ge=1, le=100, description="Tries of a notice that is refused for its content (400, 422 …).")
    ] = 3
    pending: Annotated[
        int, msgspec.Meta(ge=1, le=2000, description="Most notices that wait; beyond, the oldest is dropped.")
    ] = 1000
    parallel: Annotated[int, msgspec.Meta(ge=1, le=64, description="Most tries under way at once.")] = 4


class DeliveryQueued(msgspec.Struct, frozen=True):
    """Event: deliver number `seq` (ever growing), which is about `subject` and was put into the outbox at `at`."""

    seq: int
    subject: str
    at: float


class DeliveryTried(msgspec.Struct, frozen=True):
    """Event: a try of number `seq` ended with this outcome."""

    seq: int
    outcome: Outcome


class TryDelivery(msgspec.Struct, frozen=True):
    """Action: try to deliver number `seq` now."""

    seq: int


class Forget(msgspec.Struct, frozen=True):
    """Action: number `seq` is delivered, or given up for the reason in `dropped`."""

    seq: int
    dropped: str = ""


class DeliveryFigures(msgspec.Struct, frozen=True):
    """Figures of one receiver. Since the start: notices delivered, tries that failed, notices dropped by reason. Now:
    notices that wait, and the age of the oldest (s)."""

    receiver: str
    delivered: int
    failed: int
    dropped: dict[str, int]
    pending: int
    oldest: float


class _Item(msgspec.Struct):
    queued: DeliveryQueued
    not_before: float = 0.0
    tries: int = 0
    content: int = 0
    under_way: bool = False


DeliveryEvent = DeliveryQueued | DeliveryTried
DeliveryAction = TryDelivery | Forget


class RetryQueue:
    """A machine (core/machine.py) for one receiver. Beyond `options.pending` the oldest delivery is dropped."""

    def __init__(self, options: DeliveryOptions, rng: Random) -> None:
        self._options = options
        self._rng = rng
        self._items: dict[int, _Item] = {}
        self._under_way = 0
        self._failures = 0
        self._not_before = 0.0
        self._refusals = 0
        self._again_not_before = 0.0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def due(self) -> float | None:
        """The time at which the next try may begin, or the next delivery is given up; None where nothing waits."""
        idle = [item.queued.at + self._options.keep for item in self._items.values() if not item.under_way]
        if self._under_way < self._room:
            idle += [self._ready_at(item) for item in self._heads()]
        return min(idle, default=None)

    def step(self, now: float, event: DeliveryEvent | None = None) -> list[DeliveryAction]:
        """Take `event`, and return what to try now and what to forget."""
        actions: list[DeliveryAction] = []
        if isinstance(event, DeliveryQueued):
            actions += self._queued(event)
        elif isinstance(event, DeliveryTried):
            actions += self._tried(now, event)
        actions += self._expire(now)
        actions += self._launch(now)
        return actions

    def _queued(self, event: DeliveryQueued) -> Iterator[DeliveryAction]:
        self._items[event.seq] = _Item(event)
        if len(self._items) > self._options.pending:
            oldest = min((seq for seq, item in self._items.items() if not item.under_way), default=event.seq)
            yield self._forget(oldest, "overflow")

    def _tried(self, now: float, event: DeliveryTried) -> Iterator[DeliveryAction]:
        item = self._items[event.seq]
        item.under_way = False
        self._under_way -= 1
        if event.outcome.delivered:
            self._failures = self._refusals = 0
            self._not_before = self._again_not_before = now
            yield self._forget(event.seq)
        else:
            yield from self._failed(now, item, event.outcome)

    def _failed(self, now: float, item: _Item, outcome: Outcome) -> Iterator[DeliveryAction]:
        asked = min(outcome.retry_after or 0.0, self._options.longest_asked)
        item.tries += 1
        if outcome.blame is Blame.RECEIVER:
            self._failures += 1
            self._not_before = now + max(asked, self._pause(self._failures))
            return
        self._failures = 0
        self._refusals += 1
        self._again_not_before = now + self._pause(self._refusals)
        item.not_before = now + max(asked, self._pause(item.tries))
        item.content += outcome.blame is Blame.CONTENT
        if item.content >= self._options.content_tries:
            yield self._forget(item.queued.seq, f"status_{outcome.status}")

    def _pause(self, failures: int) -> float:
        """Exponential back-off with full jitter: anything up to the bound, so that many senders do not line up."""
        bound = min(self._options.longest, self._options.first * 2.0 ** min(failures - 1, 32))
        return self._rng.uniform(0.0, bound)

    def _expire(self, now: float) -> Iterator[DeliveryAction]:
        late = [
            seq
            for seq, item in self._items.items()
            if not item.under_way and now >= item.queued.at + self._options.keep
        ]
        for seq in late:
            yield self._forget(seq, "expired")

    def _launch(self, now: float) -> Iterator[DeliveryAction]:
        ready = [item for item in self._heads() if self._ready_at(item) <= now]
        ready.sort(key=lambda item: (item.tries, item.queued.seq))
        for item in ready[: max(0, self._room - self._under_way)]:
            item.under_way = True
            self._under_way += 1
            yield TryDelivery(item.queued.seq)

    def _ready_at(self, item: _Item) -> float:
        """A delivery that was not tried yet waits for a receiver in trouble, but not behind those that it refuses."""
        return max(item.not_before, self._not_before, self._again_not_before if item.tries else 0.0)

    @property
    def _room(self) -> int:
        return 1 if self._failures else self._options.parallel

    def _heads(self) -> Iterator[_Item]:
        """The oldest delivery of each subject, where it is not under way."""
        seen: set[str] = set()
        for _, item in sorted(self._items.items()):
            if item.queued.subject not in seen:
                seen.add(item.queued.subject)
                if not item.under_way:
                    yield item

    def _forget(self, seq: int, dropped: str = "") -> Forget:
        del self._items[seq]
        return Forget(seq, dropped)
