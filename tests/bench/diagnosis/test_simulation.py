from __future__ import annotations

import pytest

from bench.diagnosis import rows
from bench.diagnosis.cluster import Shape
from bench.diagnosis.loss import Steady
from bench.diagnosis.network import Effect
from bench.diagnosis.run import Pace, play
from bench.diagnosis.simulation import Simulation
from bench.diagnosis.stories import STORIES
from kubesonar.core.diagnosis.verdict import judge
from kubesonar.model import Edge, Health, Side, Snapshot

SMALL = Shape(nodes=4, zones=2)
SPARSE = Pace(10.0, 1.0, 30.0)


def test_where_nothing_is_wrong_the_network_is_healthy() -> None:
    sim = Simulation(SMALL, 1)
    sim.run(70.0)
    read = sim.read()
    assert not read.unread
    verdict = judge(read.snapshots, read.unread, sim.cluster.epoch + sim.now, str)
    assert verdict.verdict is Health.GOOD, verdict.sentence


def test_the_same_seed_gives_the_same_snapshots() -> None:
    def snapshots(seed: int) -> list[Snapshot]:
        sim = Simulation(Shape(nodes=3, background=0.01, starved=0.2, clocks=True), seed)
        sim.run(30.0)
        return sim.read().snapshots

    assert snapshots(7) == snapshots(7)
    assert snapshots(7) != snapshots(8)


def edges(sim: Simulation, name: str) -> list[Edge]:
    return [edge for edge in sim.agents[name].snapshot(sim.now).edges if edge.latest.side is Side.SOURCE]


def test_one_way_loss_shows_in_what_the_responders_recorded() -> None:
    sim = Simulation(SMALL, 1)
    sim.network.apply([Effect(("node_out", "node-1"), Steady(1.0))])
    sim.run(30.0)
    from_one = [
        edge
        for edge in sim.agents["node-2-host"].snapshot(sim.now).edges
        if edge.latest.check.id == "udp/from/node-1-host"
    ]
    to_one = [
        edge
        for edge in sim.agents["node-1-host"].snapshot(sim.now).edges
        if edge.latest.check.id == "udp/from/node-2-host"
    ]
    assert from_one == []
    assert to_one and all(trial.received + trial.full_received == 8 for trial in to_one[0].trials)


def test_who_cannot_be_reached_cannot_be_read() -> None:
    sim = Simulation(SMALL, 1)
    sim.network.apply([Effect(("node_in", "node-1"), Steady(1.0))])
    sim.freeze("node-2-pod", 100.0)
    sim.stop("node-3-pod")
    sim.run(30.0)
    assert sim.read().unread == {
        "node-1-host": "no answer within 2 s",
        "node-1-pod": "no answer within 2 s",
        "node-2-pod": "no answer within 2 s",
        "node-3-pod": "connection refused",
    }


def test_a_frozen_agent_launches_nothing_and_knows_afterwards_how_long_it_stood_still() -> None:
    sim = Simulation(SMALL, 1)
    sim.run(20.0)
    names = ("node-2-host", "node-2-pod")
    for name in names:
        sim.freeze(name, 60.0)
    sim.unready(names, 10.0)
    sim.at(25.0, sim.publish)
    sim.run(20.1)
    before = sim.packets["node-2"]
    sim.run(59.9)
    assert sim.packets["node-2"] == before
    sim.run(64.0)
    assert sim.packets["node-2"] > before
    start = sim.cluster.epoch
    for name in names:
        (trouble,) = sim.agents[name].snapshot(sim.now).troubles
        assert trouble.since == pytest.approx(start + 20.0)
        assert trouble.until == pytest.approx(start + 60.0)


def test_who_is_read_just_before_it_runs_again_knows_that_it_stood_still() -> None:
    sim = Simulation(SMALL, 1)
    sim.run(20.0)
    sim.freeze("node-2-pod", 30.0)
    sim.run(29.0)
    (snapshot,) = [snapshot for snapshot in sim.read().snapshots if snapshot.member.name == "node-2-pod"]
    (trouble,) = snapshot.troubles
    assert trouble.since == pytest.approx(sim.cluster.epoch + 20.0)
    assert trouble.until is None


@pytest.mark.parametrize("name", STORIES)
def test_every_story_can_be_played(name: str) -> None:
    (found,) = play(rows.parse(f"story {name}"), Shape(nodes=4, lag=30.0), 1, ("threshold",), SPARSE)
    assert found.truth == ()


def test_judges_are_asked_side_by_side_on_the_same_input() -> None:
    both = play(rows.parse("node"), SMALL, 1, ("threshold", "votes"), SPARSE)
    alone = play(rows.parse("node"), SMALL, 1, ("votes",), SPARSE)
    assert [score.judge for score in both] == ["threshold", "votes"]
    assert both[1:] == alone


def test_several_faults_are_drawn_of_different_kinds() -> None:
    (found,) = play(rows.parse("any + any + any"), SMALL, 3, ("threshold",), SPARSE)
    assert len(set(found.truth)) == 3


@pytest.mark.parametrize(
    "text", ["", "nothing", "node loss", "node loss 2", "node loss 0.5 sideways", "story of mine", "healthy for long"]
)
def test_what_is_no_row_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|could not"):
        rows.parse(text)


@pytest.mark.parametrize("text", [*rows.usual(), "healthy 900"])
def test_a_row_reads_what_it_writes(text: str) -> None:
    assert str(rows.parse(text)) == text
