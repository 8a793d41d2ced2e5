"""The metrics by the older tool's names, with true values, kept over a restart."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec

from kubesonar.compat.netchecker.server.pods import NOBODY
from kubesonar.compat.netchecker.spec import NONSENSE_MS, AgentSpec, ProbeResult
from kubesonar.compat.process_series import process_series
from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.instruments import Labels
from kubesonar.stores.store import Delete, Put, StoreRefused
from kubesonar.stores.write_behind import WriteBehind
from kubesonar.views.metrics.exposition import Exposition, Metric, Series

AGENTS_LIMIT = 20_000
"""Most agents that are counted; reports may claim any name. Higher: memory; lower: agents without counts."""

_KIND = "counters"
_AGENT = ("agent",)
_ERRORS = Metric(
    "ncagent_error_count_total",
    "counter",
    "Total number of errors (keepalive miss count) for the agent.",
    _AGENT,
)
_REPORTS = Metric(
    "ncagent_report_count_total",
    "counter",
    "Total number of reports (keepalive messages) from the agent.",
    _AGENT,
)
_PROBES = (
    ("code", "http_code", "HTTP status code."),
    ("connect_time_ms", "connect", "Connection time in ms"),
    ("connection_result", "connection_result", "Connection result: 0 - error, 1 - success"),
    (
        "content_transfer_time_ms",
        "content_transfer",
        "The duration of content transfer, from the first response byte till the end (in ms).",
    ),
    ("dns_lookup_time_ms", "dns_lookup", "DNS lookup time in ms."),
    ("server_processing_time_ms", "server_processing", "Server processing time in ms."),
    ("tcp_connection_time_ms", "tcp_connection", "TCP establishing time in ms."),
    ("total_time_ms", "total", "The total duration of http request."),
)
_FAMILIES = tuple(
    (Metric(f"ncagent_http_probe_{name}", "gauge", text, (*_AGENT, "url")), field) for name, field, text in _PROBES
)

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class _Counts(msgspec.Struct):
    """The counts of one agent."""

    agent: str
    reports: _Count = 0
    errors: _Count = 0


class NetcheckerMetrics:
    """Counts reports and errors by agent, and shows the latest probes of each. What changed goes into the store with
    `sync`."""

    def __init__(self) -> None:
        self._counts: dict[str, _Counts] = {}
        self._probes: dict[str, list[ProbeResult]] = {}
        self._changed: set[str] = set()
        self._loaded = False
        self._exposition = Exposition()
        self._started = time.time()

    def report(self, label: str, spec: AgentSpec) -> None:
        """Count a report, and keep its probes."""
        if (counts := self._of(label)) is not None:
            counts.reports += 1
            self._changed.add(label)
            self._probes[label] = spec.network_probes or []

    def error(self, label: str) -> None:
        """Count a report that is missing."""
        if (counts := self._of(label)) is not None:
            counts.errors += 1
            self._changed.add(label)

    @property
    def labels(self) -> set[str]:
        """The agents that are counted."""
        return {*self._counts}

    def forget(self, labels: Iterable[str], store: WriteBehind) -> None:
        """Remove the series of these agents, which are counted."""
        for label in labels:
            del self._counts[label]
            self._probes.pop(label, None)
            self._changed.discard(label)
            if label != NOBODY:
                store.write([Delete(_KIND, _record_name(label))])

    async def sync(self, store: WriteBehind) -> None:
        """Go on from what was counted before a restart, once the store answers; then write what changed since the last
        call."""
        if not self._loaded:
            found = await store.read(_KIND)
            if store.unread:
                return
            self._add(found.values())
            self._loaded = True
        for label in self._changed:
            if label != NOBODY:
                try:
                    store.write([Put(_KIND, _record_name(label), encode_json(self._counts[label]))])
                except StoreRefused:  # a node's name that is none: it is counted until the next restart
                    continue
        self._changed.clear()

    def _add(self, kept: Iterable[bytes]) -> None:
        for value in kept:
            try:
                before = decode_json(value, _Counts)
            except Undecodable:
                continue
            if (counts := self._of(before.agent)) is not None:
                counts.reports += before.reports
                counts.errors += before.errors

    def render(self) -> bytes:
        """Return the text of /metrics."""
        return self._exposition.render(self._families())

    def _families(self) -> Iterator[tuple[Metric, Series]]:
        counts = sorted(self._counts.items())
        yield _ERRORS, {(label,): each.errors for label, each in counts}
        probes = [((label, probe.url), probe) for label, all_of in sorted(self._probes.items()) for probe in all_of]
        for metric, field in _FAMILIES:
            yield metric, _true_values(field, probes)
        yield _REPORTS, {(label,): each.reports for label, each in counts}
        for name, kind, value in process_series(self._started):
            yield Metric(name, "counter" if kind == "counter" else "gauge", "Of this process."), {(): value}

    def _of(self, label: str) -> _Counts | None:
        counts = self._counts.get(label)
        if counts is None and len(self._counts) < AGENTS_LIMIT:
            counts = self._counts[label] = _Counts(label)
        return counts


def _true_values(field: str, probes: Iterable[tuple[Labels, ProbeResult]]) -> dict[Labels, float]:
    values = {labels: getattr(probe, field) for labels, probe in probes}
    return {labels: value for labels, value in values.items() if value < NONSENSE_MS}


def _record_name(label: str) -> str:
    """Return the name of the record: no object of the API server may have an underscore in it."""
    return label.replace("_", "-")
