"""The agent's metrics: few, documented, bounded, and as the tools of the field want them."""

from __future__ import annotations

import subprocess
from typing import Literal

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from kubesonar.core.probing.planner import PlanFigures
from kubesonar.core.telemetry.probe_counters import ProbeCounts
from kubesonar.model import (
    Check,
    Edge,
    Fault,
    Kind,
    Member,
    Network,
    Observation,
    Path,
    Roster,
    Rtt,
    Snapshot,
    StampSource,
    State,
    Trouble,
    Window,
)
from kubesonar.views.metrics.agent import AGENT_METRICS, AgentMetrics, Facts, MetricsOptions, reference
from tests.core.snapshots import snapshot_of
from tests.programs import needs

FACTS = Facts(
    version="1.0",
    resident=30_000_000,
    cpu=1.5,
    lag=0.001,
    troubles=0,
    dropped={"edges": 0, "datagrams": 0},
    plan=PlanFigures(periods={("http", "ingress"): 10.0}),
)
KINDS = (Kind.UDP, Kind.TCP, Kind.ICMP, Kind.MTU, Kind.HTTP, Kind.DNS)


def edge(
    target: str, kind: Kind, fault: Fault | None = None, lost: int = 0, family: int = 4, path: Path = Path.POD
) -> Edge:
    check = Check(id=f"{kind}{target}{family}", kind=kind, path=path, target=target, address="::1")
    rtt = Rtt(best=0.0002, mean=0.0003, worst=0.0004, clock=StampSource.KERNEL)
    latest = Observation(check, "me", Network.POD, 1.0, fault=fault, sent=8, received=0 if fault else 8, rtt=rtt)
    window = Window(span=60, observations=1, sent=100, received=100 - lost, rtt_mean=0.0003)
    return Edge(latest, window, window)


def snapshot(*edges: Edge, state: State = State.SERVING, peers: int = 10) -> Snapshot:
    members = tuple(Member(f"n{i}", f"n{i}", (f"10.0.0.{i}",), 7000, state=state) for i in range(peers))
    return snapshot_of(Member("me", "me", ("10.0.0.99",), 7000), *edges, at=2.0, started=1.0, members=members)


def healthy() -> tuple[Snapshot, ProbeCounts]:
    edges = [edge(f"n{i}", kind) for i in range(10) for kind in KINDS]
    counts = ProbeCounts()
    for one in edges:
        counts.add(one.latest)
    return snapshot(*edges), counts


def rendered(view: Snapshot, counts: ProbeCounts, openmetrics: bool = False, **options: object) -> str:
    return AgentMetrics(MetricsOptions(**options)).render(view, counts, FACTS, openmetrics=openmetrics).decode()  # type: ignore[arg-type]


def lines_of(text: str, name: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(name)]


@pytest.mark.parametrize("openmetrics", [False, True])
def test_a_healthy_member_with_ten_peers_has_at_most_40_series(openmetrics: bool) -> None:
    text = rendered(*healthy(), openmetrics=openmetrics)
    assert len([line for line in text.splitlines() if not line.startswith("#")]) <= 40
    assert list((parse_openmetrics if openmetrics else parse_text)(text))


def test_every_family_is_documented() -> None:
    bad = snapshot(edge("n0", Kind.UDP, lost=10), edge("n1", Kind.TCP, Fault.TIMEOUT))
    counts = healthy()[1]
    counts.add(edge("api", Kind.HTTP, path=Path.API_DIRECT).latest)
    families = {family.name for family in parse_text(rendered(bad, counts))}
    documented = {metric.name if metric.type == "info" else metric.family for metric in AGENT_METRICS}
    assert families == documented
    assert all(f"`{metric.name}`" in reference() for metric in AGENT_METRICS)


def test_bad_edges_show_and_good_ones_do_not() -> None:
    text = rendered(snapshot(edge("n0", Kind.UDP, lost=10), edge("n1", Kind.UDP)), ProbeCounts())
    assert lines_of(text, "kubesonar_edge_loss_ratio") == [
        'kubesonar_edge_loss_ratio{target="n0",target_node="n0",kind="udp",path="pod"} 0.09999999999999998'
    ]
    assert 'kubesonar_edges{path="pod",health="bad"} 1' in text
    assert 'kubesonar_edges{path="pod",health="good"} 1' in text


@pytest.mark.parametrize(("edges", "series"), [("bad", 3), ("all", 20), ("none", 0)])
def test_edges_are_exported_as_asked_up_to_the_limit(edges: Literal["bad", "all", "none"], series: int) -> None:
    view = snapshot(*(edge(f"n{i}", Kind.TCP, Fault.REFUSED if i < 3 else None) for i in range(30)), peers=30)
    text = rendered(view, ProbeCounts(), edges=edges)
    assert len(lines_of(text, "kubesonar_edge_up")) == series
    assert f"kubesonar_edges_hidden {10 if edges == 'all' else 0}" in text


def test_two_checks_with_equal_labels_are_one_series_and_the_worse_shows() -> None:
    view = snapshot(edge("n0", Kind.TCP, family=6), edge("n0", Kind.TCP, Fault.TIMEOUT))
    text = rendered(view, ProbeCounts(), edges="all")
    assert lines_of(text, "kubesonar_edge_up") == [
        'kubesonar_edge_up{target="n0",target_node="n0",kind="tcp",path="pod"} 0'
    ]


def test_a_draining_member_that_is_silent_is_not_bad() -> None:
    text = rendered(snapshot(edge("n0", Kind.UDP, Fault.TIMEOUT), state=State.DRAINING), ProbeCounts())
    assert 'kubesonar_edges{path="pod",health="bad"} 0' in text
    assert 'kubesonar_edges{path="pod",health="unknown"} 1' in text
    assert 'kubesonar_members{state="draining"} 10' in text


def test_edges_count_by_path_and_the_own_loopback_is_none_of_them() -> None:
    edges = (edge("n0", Kind.UDP), edge("api", Kind.HTTP, Fault.TIMEOUT, path=Path.API_DIRECT))
    text = rendered(snapshot(*edges, edge("me", Kind.UDP, path=Path.LOOPBACK)), ProbeCounts())
    assert 'kubesonar_edges{path="pod",health="good"} 1' in text
    assert 'kubesonar_edges{path="api_direct",health="bad"} 1' in text
    assert "loopback" not in text
    assert 'kubesonar_edge_up{target="api",target_node="",kind="http",path="api_direct"} 0' in text


def test_an_agent_says_who_it_is_and_whether_it_can_be_trusted() -> None:
    view = snapshot()
    assert 'kubesonar_member_info{member="me",node="me",zone="",network="pod"} 1' in rendered(view, ProbeCounts())
    assert "kubesonar_troubled 0" in rendered(view, ProbeCounts())
    troubled = msgspec.structs.replace(view, troubles=(Trouble(1.0, 1.5, "starved"),))
    assert "kubesonar_troubled 1" in rendered(troubled, ProbeCounts())


def test_a_stale_roster_shows() -> None:
    view = snapshot()
    assert "kubesonar_roster_stale 0" in rendered(view, ProbeCounts())
    stale = msgspec.structs.replace(view, roster=Roster("1", (), stale="the file is gone"))
    assert "kubesonar_roster_stale 1" in rendered(stale, ProbeCounts())


def test_our_own_trouble_accuses_no_edge() -> None:
    text = rendered(snapshot(edge("n0", Kind.UDP, Fault.LOCAL)), ProbeCounts(), edges="all")
    assert 'kubesonar_edges{path="pod",health="unknown"} 1' in text
    assert not lines_of(text, "kubesonar_edge_up")


@needs("promtool")
def test_promtool_has_no_complaint() -> None:
    view, counts = healthy()
    text = rendered(view, counts, edges="all")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
