"""What the collector tells of the cluster as a whole; empty without one."""

from __future__ import annotations

from deploy.monitoring.grafana import Panel, Query

_CHOSEN = '{cluster=~"$cluster", namespace=~"$namespace"}'


def _quantiles(metric: str, by: str, legend: str) -> tuple[Query, ...]:
    buckets = f"rate({metric}_bucket{_CHOSEN}[$__rate_interval])"
    groups = f"{by}, le" if by else "le"
    return tuple(
        Query(
            f"histogram_quantile({share}, max by ({groups}) (sum by (instance, {groups}) ({buckets})))",
            f"p{share * 100:g} {legend}",
        )
        for share in (0.5, 0.9, 0.99)
    )


COLLECTOR = (
    Panel("row", "Cluster, as the collector has it"),
    Panel(
        "table",
        "Open incidents",
        (Query(f"max by (part, kind, severity) (kubesonar_incident{_CHOSEN}) > 0"),),
        "`kubesonar history` tells each of them in a sentence.",
        width=8,
    ),
    Panel(
        "timeseries",
        "In-cluster network latency",
        _quantiles("kubesonar_cluster_network_latency_seconds", "", "network"),
        "Requests to the agents' own Service, from all agents (SIG Scalability).",
        width=8,
        unit="s",
    ),
    Panel(
        "timeseries",
        "In-cluster DNS latency",
        _quantiles("kubesonar_cluster_dns_latency_seconds", "server", "{{server}}"),
        "Look-ups by UDP at the DNS Service and at nodes' caches, from all agents (SIG Scalability).",
        width=8,
        unit="s",
    ),
)
"""The row of panels. Several collectors each sum up all agents, so that the highest stands for all."""
