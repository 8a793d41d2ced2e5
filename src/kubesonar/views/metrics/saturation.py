"""Metrics of what a member's kernel lacks room for."""

from __future__ import annotations

from collections.abc import Iterator

from kubesonar.model import Saturation
from kubesonar.views.metrics.exposition import Metric, Series

TABLE = Metric(
    "kubesonar_conntrack_table_entries",
    "gauge",
    "Conntrack entries in use in the agent's network namespace: those of the node in the host network only.",
)
TABLE_LIMIT = Metric(
    "kubesonar_conntrack_table_limit", "gauge", "Conntrack entries for which there is room (nf_conntrack_max)."
)
KERNEL_DROPPED = Metric(
    "kubesonar_kernel_dropped_total",
    "counter",
    "What the kernel dropped for want of room in the agent's network namespace, from all processes there: conntrack "
    "(packets, its table was full), conntrack_early (entries, to make room), conntrack_insert (packets, another had "
    "made the same entry), udp_receive and udp_send (datagrams, a socket's buffer was full), softnet (packets, "
    "a CPU's backlog was full, of the whole node).",
    ("what",),
)

SATURATION_METRICS = (TABLE, TABLE_LIMIT, KERNEL_DROPPED)
"""All metrics in the order of the exposition."""


def saturation_families(total: Saturation | None) -> Iterator[tuple[Metric, Series]]:
    """Yield the families of one scrape from counters since the kernel began, without what the kernel does not tell."""
    if total is None:
        return
    counters = {
        "conntrack": total.conntrack_drops,
        "conntrack_early": total.conntrack_early_drops,
        "conntrack_insert": total.conntrack_insert_failed,
        "udp_receive": total.udp_receive_drops,
        "udp_send": total.udp_send_drops,
        "softnet": total.softnet_drops,
    }
    yield TABLE, {} if total.conntrack_entries is None else {(): total.conntrack_entries}
    yield TABLE_LIMIT, {} if total.conntrack_limit is None else {(): total.conntrack_limit}
    yield KERNEL_DROPPED, {(what,): count for what, count in counters.items() if count is not None}
