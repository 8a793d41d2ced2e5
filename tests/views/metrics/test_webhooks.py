from kubesonar.core.delivery.retry_queue import DeliveryFigures
from kubesonar.views.metrics.exposition import Exposition
from kubesonar.views.metrics.webhooks import webhook_families


def test_what_a_receiver_took_and_did_not() -> None:
    figures = [
        DeliveryFigures("pager", 7, 3, {"overflow": 2, "status_422": 1}, 4, 12.5),
        DeliveryFigures("alerts", 9, 0, {}, 0, 0.0),
    ]
    text = Exposition().render(webhook_families(figures, "database is locked"), openmetrics=True).decode()
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert samples == [
        'kubesonar_webhook_delivered_total{receiver="pager"} 7',
        'kubesonar_webhook_delivered_total{receiver="alerts"} 9',
        'kubesonar_webhook_failed_total{receiver="pager"} 3',
        'kubesonar_webhook_failed_total{receiver="alerts"} 0',
        'kubesonar_webhook_dropped_total{receiver="pager",reason="overflow"} 2',
        'kubesonar_webhook_dropped_total{receiver="pager",reason="status_422"} 1',
        'kubesonar_webhook_pending{receiver="pager"} 4',
        'kubesonar_webhook_pending{receiver="alerts"} 0',
        'kubesonar_webhook_oldest_seconds{receiver="pager"} 12.5',
        'kubesonar_webhook_oldest_seconds{receiver="alerts"} 0.0',
        "kubesonar_outbox_unsaved 1",
    ]
    assert "# UNIT kubesonar_webhook_oldest_seconds seconds" in text


def test_nobody_to_tell_no_metrics() -> None:
    assert list(webhook_families([], "")) == []
