"""Metrics of webhook delivery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubesonar.core.delivery.retry_queue import DeliveryFigures
from kubesonar.core.telemetry.instruments import Labels
from kubesonar.views.metrics.exposition import Metric, Series

DELIVERED = Metric("kubesonar_webhook_delivered_total", "counter", "Notices that a receiver has taken.", ("receiver",))
FAILED = Metric("kubesonar_webhook_failed_total", "counter", "Tries that a receiver did not take.", ("receiver",))
WEBHOOKS_DROPPED = Metric(
    "kubesonar_webhook_dropped_total",
    "counter",
    "Notices given up: overflow, expired, or the HTTP status that refused their content.",
    ("receiver", "reason"),
)
PENDING = Metric("kubesonar_webhook_pending", "gauge", "Notices that wait for a receiver.", ("receiver",))
OLDEST_PENDING = Metric(
    "kubesonar_webhook_oldest_seconds", "gauge", "Age of the oldest notice that waits.", ("receiver",), "seconds"
)
UNSAVED = Metric("kubesonar_outbox_unsaved", "gauge", "1 while the outbox is in memory only though it has a directory.")

WEBHOOK_METRICS = (DELIVERED, FAILED, WEBHOOKS_DROPPED, PENDING, OLDEST_PENDING, UNSAVED)
"""All metrics in the order of the exposition."""


def webhook_families(figures: Sequence[DeliveryFigures], trouble: str) -> Iterator[tuple[Metric, Series]]:
    """Yield the families of one scrape, none without a receiver. `trouble` says why the outbox is not on disk."""
    if not figures:
        return
    dropped: dict[Labels, float] = {
        (own.receiver, reason): count for own in figures for reason, count in own.dropped.items()
    }
    yield DELIVERED, {(own.receiver,): own.delivered for own in figures}
    yield FAILED, {(own.receiver,): own.failed for own in figures}
    yield WEBHOOKS_DROPPED, dropped
    yield PENDING, {(own.receiver,): own.pending for own in figures}
    yield OLDEST_PENDING, {(own.receiver,): own.oldest for own in figures}
    yield UNSAVED, {(): int(bool(trouble))}
