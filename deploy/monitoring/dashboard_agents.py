"""The rows on the agents themselves, and on their roster."""

from __future__ import annotations

from deploy.monitoring.grafana import Panel, Query
from deploy.monitoring.selectors import of, rate

AGENTS = (
    Panel("row", "Agents"),
    Panel(
        "timeseries",
        "CPU of an agent",
        (
            Query(f"max({rate('process_cpu_seconds_total')} and on (job, instance) kubesonar_build_info)", "highest"),
            Query(f"avg({rate('process_cpu_seconds_total')} and on (job, instance) kubesonar_build_info)", "mean"),
        ),
        unit="percentunit",
        width=6,
    ),
    Panel(
        "timeseries",
        "Memory of an agent",
        (
            Query(f"max({of('process_resident_memory_bytes')} and on (job, instance) kubesonar_build_info)", "highest"),
            Query(f"avg({of('process_resident_memory_bytes')} and on (job, instance) kubesonar_build_info)", "mean"),
        ),
        unit="bytes",
        width=6,
    ),
    Panel(
        "timeseries",
        "How late event loops wake",
        (Query(f"topk(5, {of('kubesonar_loop_lag_seconds')})", "{{instance}}"),),
        "The worst since the scrape before. From 0.5 s on an agent does not trust itself.",
        unit="s",
        width=6,
    ),
    Panel(
        "timeseries",
        "Dropped because a bound was reached",
        (Query(f"sum by (what) (increase({of('kubesonar_dropped_total')}[$__rate_interval])) > 0", "{{what}}"),),
        width=6,
    ),
    Panel(
        "timeseries",
        "Stretches of trouble",
        (Query(f"topk(5, increase({of('kubesonar_troubles_total')}[1h]) > 0)", "{{instance}}"),),
        "Beginnings within an hour.",
        width=6,
    ),
    Panel(
        "table",
        "Versions",
        (Query(f"count by (version, network) ({of('kubesonar_build_info')})"),),
        width=6,
    ),
)

ROSTER = (
    Panel("row", "Roster"),
    Panel(
        "timeseries",
        "Members by state",
        (Query(f"max by (state) ({of('kubesonar_members')})", "{{state}}"),),
        "A member that is not serving is probed and excused.",
        stacked=True,
        width=12,
    ),
    Panel(
        "timeseries",
        "Agents with a stale roster, and edges hidden by metrics.edge_limit",
        (
            Query(f"sum({of('kubesonar_roster_stale')})", "stale"),
            Query(f"sum({of('kubesonar_edges_hidden')})", "hidden"),
        ),
        width=12,
    ),
    Panel(
        "table",
        "Coordinators",
        (
            Query(
                f"({of('kubesonar_coordinator')} == 1) * on (cluster, job, instance) "
                f"group_left (member, node, network) {of('kubesonar_member_info')}"
            ),
        ),
        "One in each network; it tells receivers of webhooks.",
    ),
    Panel(
        "timeseries",
        "Members suspected",
        (Query(f"max by (condition) ({of('kubesonar_members_suspected')})", "{{condition}}"),),
        "As the agent holds that suspects most.",
    ),
    Panel(
        "timeseries",
        "Notices that wait for receivers of webhooks",
        (Query(f"sum by (receiver) ({of('kubesonar_webhook_pending')})", "{{receiver}}"),),
    ),
    Panel(
        "timeseries",
        "Period of plain targets' checks",
        (Query(f"max by (path, kind) ({of('kubesonar_period_seconds')})", "{{path}} {{kind}}"),),
        "As long as the budgets need that all agents share.",
        unit="s",
        width=12,
    ),
    Panel(
        "timeseries",
        "Conntrack entries that an agent keeps on its node",
        (Query(f"max({of('kubesonar_conntrack_entries')})", "highest"),),
        "As reckoned; budget.conntrack is their ceiling.",
        width=12,
    ),
)
