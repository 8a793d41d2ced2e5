"""The body of /metrics, with the names of every release that dashboards may use."""

from __future__ import annotations

import time

from kubesonar.compat.kubenurse.metrics.exposition import GoExposition
from kubesonar.compat.kubenurse.metrics.instruments import CheckInstruments
from kubesonar.compat.process_series import process_series

_METHOD = 'method="get"'
"""A label that is documented, and was there up to 1.13."""


class MetricsPage:
    """Renders the instruments. `older` adds the names that release 1.13 dropped."""

    def __init__(self, instruments: CheckInstruments, *, metadata: bool, older: bool) -> None:
        self._instruments = instruments
        self._older = older
        self._text = GoExposition(metadata=metadata)
        self._started = time.time()

    def render(self, incoming: int) -> bytes:
        """Return all families; `incoming` is the number of neighbours that checked this pod lately."""
        instruments, family = self._instruments, self._text.family
        family("kubenurse_errors_total", "counter", ("type", "event"), instruments.errors.series)
        family("kubenurse_httpclient_request_duration_seconds", "histogram", ("type",), instruments.durations)
        fixed = (_METHOD,) if self._older else ()
        family("kubenurse_httpclient_requests_total", "counter", ("type", "code"), instruments.requests.series, *fixed)
        family(
            "kubenurse_httpclient_trace_request_duration_seconds", "histogram", ("type", "event"), instruments.traces
        )
        family("kubenurse_neighbourhood_incoming_checks", "gauge", (), {(): incoming})
        if self._older:
            family("kubenurse_request_duration", "histogram", ("type",), instruments.checks)
        for name, kind, value in process_series(self._started):
            family(name, kind, (), {(): value})
        return self._text.take()
