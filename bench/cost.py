"""What agents cost their nodes, and what all of them share, at 10, 300 and 3,000 agents.

That is the real plan, with the budgets, times what one probe of each kind was measured to put on the wire. Writes
bench/results/cost.md.
"""

from __future__ import annotations

import ssl
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path as File

import msgspec

from bench._sessions import table as sessions_table
from bench._wire import OnWire, measure
from kubesonar.apps.agent.options import AgentOptions
from kubesonar.core.probing import conntrack
from kubesonar.core.probing.budget import questions
from kubesonar.core.probing.cluster_checks import dependencies
from kubesonar.core.probing.cluster_facts import DnsPod, ServiceEndpoint, Surroundings
from kubesonar.core.probing.cluster_options import ClusterOptions, IngressOptions, OwnServiceOptions
from kubesonar.core.probing.planner import CheckPlanner, PlanFigures
from kubesonar.core.telemetry.ledger import Ledger
from kubesonar.core.telemetry.probe_counters import ProbeCounts
from kubesonar.lab.kernel.isolate import Isolation, run_isolated
from kubesonar.model import Check, Kind, Member, Network, Observation, Path, Roster, Rtt, Saturation, StampSource
from kubesonar.views.metrics.agent import AgentMetrics, Facts
from kubesonar.views.metrics.membership import MembershipFacts, membership_families
from kubesonar.views.metrics.saturation import saturation_families

RESULTS = File(__file__).parent / "results/cost.md"
SIZES = ((10, 2), (300, 19), (3000, 188))
"""Agents, and the DNS pods of a cluster of so many nodes: two at least (kubeadm), one for 16 nodes (the defaults of
cluster-proportional-autoscaler for CoreDNS)."""

NAMES = 5
"""Names that a look-up of an outside name tries in a pod: three of the cluster, one of the host, and itself."""

OPTIONS = AgentOptions(
    cluster=ClusterOptions(
        service=OwnServiceOptions(name="kubesonar"), ingress=IngressOptions(url="https://sonar.example.com/healthz")
    )
)
_MEMBERS = frozenset({Path.POD, Path.HOST})


class Cost(msgspec.Struct, frozen=True):
    """One size of cluster: everything of one agent (`packets`, `octets` a second) and of all together."""

    agents: int
    dns_pods: int
    checks: int
    probes: float
    packets: float
    octets: float
    asked: float
    entries: float
    incoming: float
    series: int
    together: dict[str, float]
    periods: dict[tuple[str, ...], float]


def cost(agents: int, dns_pods: int, wire: dict[str, OnWire]) -> Cost:
    """From the plan of one agent among so many."""
    members = tuple(
        Member(f"agent-{i}", f"node-{i}", (f"10.{i >> 8}.{i & 255}.2",), 7473, zone=f"zone-{i % 3}")
        for i in range(agents)
    )
    found = Surroundings(
        node="node-0",
        api=ServiceEndpoint("10.96.0.1", 443),
        domain="cluster.local",
        nameservers=("10.96.0.10",),
        dns_pods=tuple(DnsPod(f"coredns-{i}", f"10.200.{i >> 8}.{i & 255}") for i in range(dns_pods)),
        service=(ServiceEndpoint("10.96.0.77", 7473),),
    )
    options = msgspec.structs.replace(OPTIONS, plan=msgspec.structs.replace(OPTIONS.plan, families=(4,)))
    planner = CheckPlanner(options.planner(NAMES, "127.0.0.1"))
    planner.found(dependencies(options.cluster, found).checks)
    roster = Roster("1", members)
    checks = [check for check in planner.checks(roster, members[0]) if check.path is not Path.LOOPBACK]
    of_members = [check for check in checks if check.path in _MEMBERS]
    own = _sum(checks, lambda check: _packets(check, wire) / check.period)
    others = _sum(of_members, lambda check: _wire(check, wire).packets / check.period)
    return Cost(
        agents=agents,
        dns_pods=dns_pods,
        checks=len(checks),
        probes=_sum(checks, lambda check: 1 / check.period),
        packets=own,
        octets=_sum(checks, lambda check: _octets(check, wire) / check.period),
        asked=others,
        entries=planner.figures.conntrack,
        incoming=conntrack.total_entries(of_members, options.udp.ports, options.udp.rebind),
        series=_series(checks, roster, planner.figures),
        together=_together(checks, agents, dns_pods),
        periods=planner.figures.periods,
    )


def _sum(checks: Iterable[Check], of: Callable[[Check], float]) -> float:
    return sum(map(of, checks))


def _wire(check: Check, wire: dict[str, OnWire]) -> OnWire:
    if check.kind is Kind.DNS:
        return wire["dns by tcp" if check.request.endswith("tcp") else "dns by udp"]
    if check.request.startswith("https"):
        return wire["https, full handshake"]
    return wire[check.kind.value]


def _packets(check: Check, wire: dict[str, OnWire]) -> float:
    """With the questions of its look-up."""
    return _wire(check, wire).packets + questions(check, NAMES) * wire["dns by udp"].packets


def _octets(check: Check, wire: dict[str, OnWire]) -> float:
    """With the questions of its look-up."""
    return _wire(check, wire).octets + questions(check, NAMES) * wire["dns by udp"].octets


def _together(checks: list[Check], agents: int, dns_pods: int) -> dict[str, float]:
    """What all agents ask of what they share, a second."""
    loads: dict[str, float] = defaultdict(float)
    for check in checks:
        rate = agents / check.period
        loads["dns"] += rate * questions(check, NAMES) / dns_pods
        if check.path in (Path.API_DIRECT, Path.API_DNS):
            loads["api"] += rate
        elif check.path is Path.DNS_SERVICE:
            loads["dns"] += rate / dns_pods
        elif check.path is Path.DNS_POD and check.target == "coredns-0":
            loads["dns"] += rate
        elif check.path in (Path.SERVICE, Path.INGRESS):
            loads[check.path.value] += rate
    return loads


def _series(checks: list[Check], roster: Roster, figures: PlanFigures) -> int:
    """Of an agent that has seen everything to be well."""
    counts = ProbeCounts()
    ledger = Ledger(roster.members[0], 0.0, OPTIONS.ledger)
    ledger.roster_changed(roster)
    ledger.register(counts)
    for check in checks:
        rtt = Rtt(0.001, 0.001, 0.001, StampSource.KERNEL)
        ledger.add(Observation(check, "agent-0", Network.POD, 10.0, received=1, rtt=rtt))
    facts = Facts(
        "1", 1, 1.0, 0.0, 0, {"edges": 0, "probes": 0, "crashes": 0, "requests": 0, "answers": 0, "strangers": 0},
        "kubernetes", 0.0, figures,
    )  # fmt: skip
    text = AgentMetrics(OPTIONS.metrics).render(ledger.snapshot(11.0), counts, facts, openmetrics=False).decode()
    watch = MembershipFacts("agent-1", False, 0, {}, {}, {}, {"delivered": 1, "greeted": 1, "outdated": 1})
    kernel = saturation_families(Saturation(1.0, 1.0, 1, 1, 1, 1, 1, 1, 1, 1))
    more = (*membership_families(watch), *kernel)
    watched = sum(len(series) for _, series in more if isinstance(series, Mapping))
    return watched + sum(not line.startswith("#") for line in text.splitlines())


def wire_table(wire: dict[str, OnWire]) -> list[str]:
    """What one probe costs."""
    rows = [
        "| one probe | packets | IP bytes | conntrack entries it adds | kept |",
        "|---|---|---|---|---|",
    ]
    for name, one in wire.items():
        added = "of a pool, see below" if name in ("udp", "mtu", "icmp") else f"{one.entries:.0f}"
        kept = "120 s" if one.timeout > 30 or name in ("udp", "mtu") else "30 s"
        rows.append(f"| {name} | {one.packets:.0f} | {one.octets:,.0f} | {added} | {kept} |")
    return rows


def tables(costs: list[Cost]) -> list[str]:
    """What an agent costs its node, and all agents what they share."""
    head = "| | " + " | ".join(f"{one.agents:,} agents" for one in costs) + " |"
    line = "|---|" + "---|" * len(costs)

    def row(name: str, of: Callable[[Cost], str]) -> str:
        return f"| {name} | " + " | ".join(map(of, costs)) + " |"

    def together(key: str) -> Callable[[Cost], str]:
        return lambda one: f"{one.together[key]:.1f}"

    def period(kind: str, path: str) -> Callable[[Cost], str]:
        return lambda one: f"{one.periods[kind, path]:.0f} s"

    return [
        "## One agent",
        "",
        head,
        line,
        row("DNS pods in the cluster", lambda one: f"{one.dns_pods}"),
        row("checks", lambda one: f"{one.checks}"),
        row("probes a second (a train of 8 is one)", lambda one: f"{one.probes:.1f}"),
        row("packets a second, both ways, its own probes", lambda one: f"{one.packets:.0f}"),
        row("… and others' probes of it", lambda one: f"{one.asked:.0f}"),
        row("IP kB a second, both ways, its own probes", lambda one: f"{one.octets / 1000:.1f}"),
        row("conntrack entries of its own probes", lambda one: f"{one.entries:.0f}"),
        row("… and of others' probes of it", lambda one: f"{one.incoming:.0f}"),
        row("metric series while all is well", lambda one: f"{one.series}"),
        "",
        "## All agents together",
        "",
        head,
        line,
        row("API server, TLS handshakes a second", together("api")),
        row("own Service, requests a second", together("service")),
        row("ingress, requests a second", together("ingress")),
        row("each DNS pod, questions a second", together("dns")),
        row("period in force: API server by address", period("http", "api_direct")),
        row("… API server by name", period("http", "api_dns")),
        row("… Service", period("http", "service")),
        row("… ingress", period("http", "ingress")),
        row("… DNS service and each DNS pod", period("dns", "dns_pod")),
        "",
    ]


def main(isolation: Isolation) -> int:
    """Inside a network namespace."""
    if not isolation.namespaces:
        print(isolation.reason)
        return 1
    wire = measure()
    costs = [cost(*size, wire) for size in SIZES]
    parts = [
        "# What agents cost",
        "",
        f"Python {sys.version.split()[0]}, {ssl.OPENSSL_VERSION}. One probe: counted by the kernel (/proc/net/dev,",
        "/proc/net/nf_conntrack) on a link with an MTU of 1,500 in a namespace of its own, both directions, connection",
        "set-up and end included. The rest is derived: the real plan, budgets and default periods, one address family;",
        "API server, DNS, own Service and an ingress with an outside name are checked. Written by `bench/cost.py`.",
        "",
        "## One probe",
        "",
        *wire_table(wire),
        "",
        "UDP trains and echoes use a pool: 8 source ports (one replaced each 120 s, remembered for another 120), and 1",
        "identifier (replaced each 60 s) towards each target, however often they probe. MTU checks use the ports of",
        "trains, and 2 more while they search. A stream of datagrams is remembered for 120 s, a single question for",
        "30 s, a closed connection for 120 s: the kernel's defaults.",
        "",
        "A whole https check by what the handshake is, CPU at either end (medians, both kinds in turns):",
        "",
        *sessions_table(),
        "",
        *tables(costs),
    ]
    RESULTS.write_text("\n".join(parts))
    return 0


if __name__ == "__main__":
    sys.exit(run_isolated(main))
