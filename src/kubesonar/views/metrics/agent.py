"""The agent's metrics: the table of their names, and their values from a snapshot, counters and facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Annotated, Literal

import msgspec

from kubesonar.core.probing.planner import PlanFigures
from kubesonar.core.telemetry.edge_health import judged
from kubesonar.core.telemetry.instruments import Labels
from kubesonar.core.telemetry.probe_counters import ProbeCounts
from kubesonar.model import Edge, Health, Path, Snapshot
from kubesonar.views.metrics import membership, saturation, webhooks
from kubesonar.views.metrics.exposition import Exposition, Metric, Series, metric_table


class MetricsOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The edges that have series of their own in /metrics."""

    edges: Annotated[
        Literal["bad", "all", "none"],
        msgspec.Meta(description="Which edges have series of their own: only bad ones, all, or none."),
    ] = "bad"
    edge_limit: Annotated[
        int,
        msgspec.Meta(ge=1, le=10_000, description="Most edges with series of their own; further ones are counted."),
    ] = 20


class Facts(msgspec.Struct, frozen=True):
    """Figures of the process: `resident` memory (bytes), `cpu` seconds since its start, `lag` by which its event loop
    woke late at worst since the last scrape (s), `troubles` so far, how much was `dropped` of what, how long the source
    of the roster has not answered (`roster_age`, s), and the figures of the plan in force."""

    version: str
    resident: int
    cpu: float
    lag: float
    troubles: int
    dropped: Mapping[str, int]
    roster_source: str = "none"
    roster_age: float = 0.0
    plan: PlanFigures = PlanFigures()


def _metric(name: str, kind: Literal["counter", "gauge", "histogram", "info"], text: str, *labels: str) -> Metric:
    family = name.removesuffix("_total")
    unit = next((unit for unit in ("seconds", "bytes", "ratio") if family.endswith(f"_{unit}")), "")
    return Metric(name, kind, text, labels, unit)


BUILD = _metric(
    "kubesonar_build_info", "info", "Always 1; says which version runs in which network.", "version", "network"
)
MEMBER = _metric(
    "kubesonar_member_info", "info", "Always 1; says which member this agent is.", "member", "node", "zone", "network"
)
PROBES = _metric(
    "kubesonar_probes_total",
    "counter",
    "Probes made, by kind, path and result: good, or the fault. Those of excused members are counted too.",
    "kind",
    "path",
    "result",
)
UDP_SENT = _metric("kubesonar_udp_sent_total", "counter", "Probe datagrams sent to peers.")
UDP_RECEIVED = _metric("kubesonar_udp_received_total", "counter", "Answers to probe datagrams received in time.")
RTT = _metric("kubesonar_rtt_seconds", "histogram", "Best UDP round trip of each train, over all peers.", "path")
ANSWERS = _metric(
    "kubesonar_answer_seconds", "histogram", "How long good probes of plain targets took.", "kind", "path"
)
EDGES = _metric(
    "kubesonar_edges",
    "gauge",
    "Edges probed, by path and health: bad where the latest probe failed or the long window lost 5 %; unknown where "
    "nothing can be told or silence is excused.",
    "path",
    "health",
)
MEMBERS = _metric("kubesonar_members", "gauge", "Members of the roster, by state.", "state")
STALE = _metric(
    "kubesonar_roster_stale", "gauge", "1 while the roster may be out of date, as its source fails; else 0."
)
AGE = _metric(
    "kubesonar_roster_age_seconds",
    "gauge",
    "For how long the source of members (file, kubernetes, dns or none) has not answered; 0 while it does.",
    "source",
)
AGENTS = _metric(
    "kubesonar_budget_agents", "gauge", "By how many agents the budgets are divided: rounded up to two digits."
)
PERIOD = _metric(
    "kubesonar_period_seconds",
    "gauge",
    "Period in force of the checks of plain targets, by kind and path: as long as the budgets need.",
    "kind",
    "path",
)
CONNTRACK = _metric(
    "kubesonar_conntrack_entries", "gauge", "Conntrack entries that this agent's checks keep on its node, as reckoned."
)
LAG = _metric("kubesonar_loop_lag_seconds", "gauge", "How late the event loop woke at worst since the last scrape.")
TROUBLED = _metric(
    "kubesonar_troubled", "gauge", "1 where this agent could not trust itself at some time in the long window, else 0."
)
TROUBLES = _metric(
    "kubesonar_troubles_total",
    "counter",
    "Stretches in which this agent was starved, throttled or frozen, or dropped what came.",
)
DROPPED = _metric("kubesonar_dropped_total", "counter", "What was dropped because a bound was reached.", "what")
RESIDENT = _metric("process_resident_memory_bytes", "gauge", "Resident memory of the agent.")
CPU = _metric("process_cpu_seconds_total", "counter", "User and system CPU time of the agent.")
STARTED = _metric("process_start_time_seconds", "gauge", "When the agent started, in Unix seconds.")
_OF_EDGE = ("target", "target_node", "kind", "path")
EDGE_UP = _metric(
    "kubesonar_edge_up", "gauge", "1 where the latest probe of the edge was well, 0 where not.", *_OF_EDGE
)
EDGE_LOSS = _metric("kubesonar_edge_loss_ratio", "gauge", "Share lost on the edge in the long window.", *_OF_EDGE)
EDGE_RTT = _metric("kubesonar_edge_rtt_seconds", "gauge", "Mean round trip on the edge in the short window.", *_OF_EDGE)
EDGES_HIDDEN = _metric(
    "kubesonar_edges_hidden", "gauge", "Edges that would have series of their own, but for metrics.edge_limit."
)

AGENT_METRICS = (
    BUILD, MEMBER, PROBES, UDP_SENT, UDP_RECEIVED, RTT, ANSWERS, EDGES, MEMBERS, STALE, AGE, AGENTS, PERIOD,
    CONNTRACK, LAG, TROUBLED, TROUBLES, DROPPED, RESIDENT, CPU, STARTED, EDGES_HIDDEN, EDGE_UP, EDGE_LOSS, EDGE_RTT,
)  # fmt: skip
"""All metrics in the order of the exposition and of docs/metrics.md."""


class AgentMetrics:
    """The body of an agent's /metrics."""

    def __init__(self, options: MetricsOptions) -> None:
        self._options = options
        self._exposition = Exposition()

    def render(
        self,
        snapshot: Snapshot,
        counts: ProbeCounts,
        facts: Facts,
        more: Iterable[tuple[Metric, Series]] = (),
        *,
        openmetrics: bool,
    ) -> bytes:
        """Return the text. The snapshot may lack trials; `more` are families of other tables, which come last."""
        families = chain(agent_families(snapshot, counts, facts, self._options), more)
        return self._exposition.render(families, openmetrics=openmetrics)


def agent_families(
    snapshot: Snapshot, counts: ProbeCounts, facts: Facts, options: MetricsOptions
) -> Iterator[tuple[Metric, Series]]:
    """Yield the families of one scrape in the order of `AGENT_METRICS`."""
    edges = judged(snapshot)
    me = snapshot.member
    states = Counter(member.state.value for member in snapshot.roster.members)
    own = [edge for edge, health in edges if options.edges == "all" or (options.edges, health) == ("bad", Health.BAD)]
    yield BUILD, {(facts.version, me.network.value): 1}
    yield MEMBER, {(me.name, me.node, me.zone, me.network.value): 1}
    yield PROBES, counts.probes.series
    yield UDP_SENT, {(): counts.udp_sent}
    yield UDP_RECEIVED, {(): counts.udp_received}
    yield RTT, counts.rtt
    yield ANSWERS, counts.answers
    yield EDGES, _healths(edges)
    yield MEMBERS, {(state,): count for state, count in states.items()}
    yield STALE, {(): int(bool(snapshot.roster.stale))}
    yield AGE, {(facts.roster_source,): facts.roster_age}
    yield AGENTS, {(): facts.plan.agents}
    yield PERIOD, facts.plan.periods
    yield CONNTRACK, {(): facts.plan.conntrack}
    yield LAG, {(): facts.lag}
    yield TROUBLED, {(): int(bool(snapshot.latest_troubles))}
    yield TROUBLES, {(): facts.troubles}
    yield DROPPED, {(what,): count for what, count in {**facts.dropped, "label_sets": counts.overflow}.items()}
    yield RESIDENT, {(): facts.resident}
    yield CPU, {(): facts.cpu}
    yield STARTED, {(): snapshot.started}
    yield EDGES_HIDDEN, {(): max(0, len(own) - options.edge_limit)}
    nodes = {member.name: member.node for member in snapshot.roster.members}
    yield from _edges(own[: options.edge_limit], nodes)


def _healths(edges: list[tuple[Edge, Health]]) -> Series:
    """Count edges by path and health, without the edge to the own loopback."""
    counted = Counter((edge.latest.check.path, health) for edge, health in edges)
    paths = dict.fromkeys(path for path, _ in counted if path is not Path.LOOPBACK)
    return {(path.value, health.value): counted[path, health] for path in paths for health in _HEALTHS}


_HEALTHS = (Health.GOOD, Health.BAD, Health.UNKNOWN)


def _edges(edges: list[Edge], nodes: Mapping[str, str]) -> Iterator[tuple[Metric, Series]]:
    """Yield the series of single edges. `nodes` maps members to their nodes; plain targets have none. Of two checks
    with the same labels (of two address families, for example) the worse one is shown."""
    up: dict[Labels, float] = {}
    loss: dict[Labels, float] = {}
    rtt: dict[Labels, float] = {}
    for edge in edges:
        check = edge.latest.check
        labels = (check.target, nodes.get(check.target, ""), check.kind.value, check.path.value)
        if edge.latest.health is not Health.UNKNOWN:
            up[labels] = min(up.get(labels, 1), int(edge.latest.health is Health.GOOD))
        if edge.long.loss is not None:
            loss[labels] = max(loss.get(labels, 0.0), edge.long.loss)
        if edge.short.rtt_mean:
            rtt[labels] = max(rtt.get(labels, 0.0), edge.short.rtt_mean)
    yield EDGE_UP, up
    yield EDGE_LOSS, loss
    yield EDGE_RTT, rtt


def reference() -> str:
    """Return the table of metrics as Markdown, for docs/metrics.md."""
    tables = AGENT_METRICS, saturation.SATURATION_METRICS, membership.MEMBERSHIP_METRICS, webhooks.WEBHOOK_METRICS
    return metric_table(chain.from_iterable(tables))
