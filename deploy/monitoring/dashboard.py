"""The dashboard of the agents' own metrics. It needs no recording rule; alerts show where rules.yaml is loaded."""

from __future__ import annotations

from deploy.monitoring.dashboard_agents import AGENTS, ROSTER
from deploy.monitoring.dashboard_collector import COLLECTOR
from deploy.monitoring.grafana import Dashboard, Panel, Query, Variable
from deploy.monitoring.selectors import SOURCE, TRUSTED, of, on_path, rate

_FAILED = 'result!~"good|local|not_permitted|mismatch|other"'
_GREEN_TO_RED = ((None, "green"), (0.001, "yellow"), (0.05, "red"))
_ANY_IS_RED = ((None, "green"), (1, "red"))
_ANY_IS_YELLOW = ((None, "green"), (1, "yellow"))
_BAD = 'health="bad"'
_SERVING = 'state="serving"'
_OF_MEMBERS = 'target_node!=""'
_NOT_GOOD = 'result!="good"'
_JUDGED = 'health=~"good|bad"'


def _matrix(path: str) -> Panel:
    loss = f"{of('kubesonar_edge_loss_ratio', on_path(path))} {TRUSTED}"
    return Panel(
        "table",
        f"Loss in the {path} network: rows lose packets to and from columns",
        (Query(f"max by (source_node, target_node) (({loss}) {SOURCE})"),),
        "Bad edges only, unless metrics.edges is all; the last minute. `kubesonar map` knows the direction too.",
        width=12,
        unit="percentunit",
        steps=_GREEN_TO_RED,
        matrix=("source_node", "target_node"),
    )


def _quantiles(metric: str, by: str, legend: str, share: float) -> Query:
    buckets = rate(f"{metric}_bucket")
    return Query(f"histogram_quantile({share}, sum by ({by}, le) ({buckets}))", f"p{share * 100:g} {legend}")


def _failing(path: str, title: str) -> Panel:
    one = "path, cluster, job, instance"
    judging = f"sum by ({one}) ({of('kubesonar_edges', f'{on_path(path)}, {_JUDGED}')}) > 0"
    failing = f"sum by ({one}) ({of('kubesonar_edges', f'{on_path(path)}, {_BAD}')}) > 0"
    judging = f"count by (path) (({judging}) {TRUSTED})"
    failing = f"count by (path) (({failing}) {TRUSTED})"
    return Panel(
        "timeseries",
        title,
        (Query(f"({failing} or 0 * {judging}) / {judging}", "{{path}}"),),
        "Share of the agents that get no good answer. Agents that cannot trust themselves are left out.",
        width=6,
        unit="percentunit",
    )


_OVERVIEW = (
    Panel("row", "Overview"),
    Panel(
        "stat",
        "Bad edges",
        (Query(f"sum({of('kubesonar_edges', _BAD)} {TRUSTED})"),),
        "Edges that trusted agents find bad now. `kubesonar check` names the part that is sick.",
        width=4,
        height=5,
        steps=_ANY_IS_RED,
        words=((0, "good"),),
    ),
    Panel("stat", "Agents scraped", (Query(f"count({of('kubesonar_build_info')})"),), width=4, height=5),
    Panel(
        "stat",
        "Members serving",
        (Query(f"max(sum by (job, instance) ({of('kubesonar_members', _SERVING)}))"),),
        "As the roster of an agent has them, in both networks.",
        width=4,
        height=5,
    ),
    Panel(
        "stat",
        "Agents that cannot trust themselves",
        (Query(f"sum({of('kubesonar_troubled')})"),),
        "Starved of CPU, throttled or frozen within the last minute: what they see counts for nothing.",
        width=4,
        height=5,
        steps=_ANY_IS_YELLOW,
    ),
    Panel(
        "stat",
        "UDP loss",
        (Query(f"1 - sum({rate('kubesonar_udp_received_total')}) / sum({rate('kubesonar_udp_sent_total')})"),),
        "Of all probe datagrams, there and back, those to excused members included.",
        width=4,
        height=5,
        unit="percentunit",
        steps=_GREEN_TO_RED,
    ),
    Panel(
        "stat",
        "Stale rosters",
        (Query(f"sum({of('kubesonar_roster_stale')})"),),
        "Agents whose source of members does not answer.",
        width=4,
        height=5,
        steps=_ANY_IS_YELLOW,
    ),
    Panel(
        "timeseries",
        "Bad edges by path",
        (Query(f"sum by (path) ({of('kubesonar_edges', _BAD)} {TRUSTED})", "{{path}}"),),
        width=12,
        stacked=True,
    ),
    Panel("table", "Firing alerts", (Query('ALERTS{alertname=~"Kubesonar.*", alertstate="firing"}'),), width=12),
)

_NODES = (
    Panel("row", "Nodes"),
    _matrix("pod"),
    _matrix("host"),
    Panel(
        "status-history",
        "How many agents find a node down",
        (
            Query(
                "count by (path, target_node) ((min by (path, target_node, cluster, job, instance) "
                f"({of('kubesonar_edge_up', _OF_MEMBERS)}) == 0) {TRUSTED})",
                "{{target_node}} {{path}}",
            ),
        ),
        "By any kind of probe. One agent alone is more often the sick one.",
        width=24,
        unit="none",
        steps=((None, "yellow"), (2, "orange"), (3, "red")),
    ),
)

_LATENCY = (
    Panel("row", "Round trips"),
    Panel(
        "timeseries",
        "UDP between agents",
        tuple(_quantiles("kubesonar_rtt_seconds", "path", "{{path}}", share) for share in (0.5, 0.9, 0.99)),
        "Best round trip of each train, by the kernel's clock.",
        unit="s",
    ),
    Panel(
        "heatmap",
        "UDP between agents",
        (Query(f"sum by (le) (increase({of('kubesonar_rtt_seconds_bucket')}[$__rate_interval]))", "{{le}}"),),
        unit="s",
    ),
    Panel(
        "timeseries",
        "Plain targets",
        tuple(
            _quantiles("kubesonar_answer_seconds", "path, kind", "{{path}} {{kind}}", share)
            for share in (0.5, 0.9, 0.99)
        ),
        "How long good probes took, from start to end.",
        unit="s",
    ),
)

_FAILURES = (
    Panel("row", "Failures"),
    Panel(
        "timeseries",
        "Failed probes by fault",
        (Query(f"sum by (result) ({rate('kubesonar_probes_total', _NOT_GOOD)})", "{{result}}"),),
        "local, not_permitted and mismatch accuse nobody. Probes of excused members count here.",
        unit="reqps",
        stacked=True,
    ),
    Panel(
        "timeseries",
        "Share of failed probes by path and kind",
        (
            Query(
                f"sum by (path, kind) ({rate('kubesonar_probes_total', _FAILED)}) "
                f"/ sum by (path, kind) ({rate('kubesonar_probes_total')})",
                "{{path}} {{kind}}",
            ),
        ),
        unit="percentunit",
    ),
    Panel(
        "table",
        "Targets down, and how many agents say so",
        (Query(f"sort_desc(count by (target, target_node, path, kind) (({of('kubesonar_edge_up')} == 0) {TRUSTED}))"),),
    ),
)

_SERVICES = (
    Panel("row", "What workloads depend on"),
    _failing("api_direct|api_dns", "API server"),
    _failing("dns_.*", "DNS"),
    _failing("service", "Services"),
    _failing("ingress|external", "Ingress and outside"),
)

DASHBOARD = Dashboard(
    uid="kubesonar",
    title="kubesonar",
    help="What the agents of kubesonar see of the network, and how they are themselves.",
    variables=tuple(Variable(name, "kubesonar_build_info") for name in ("cluster", "namespace", "job")),
    panels=_OVERVIEW + COLLECTOR + _NODES + _LATENCY + _FAILURES + _SERVICES + AGENTS + ROSTER,
)
