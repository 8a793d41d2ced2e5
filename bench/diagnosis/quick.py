"""The fast part: a few runs of each kind of fault, pooled, within minutes of CPU; what CI holds against limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from bench.diagnosis.cluster import Shape
from bench.diagnosis.goals import goal_of
from bench.diagnosis.rows import parse
from bench.diagnosis.run import Pace
from bench.diagnosis.scoring import Score
from bench.diagnosis.sweep import Job

_SHAPE = Shape(nodes=12, background=0.0002)
_BOTH = Shape(nodes=8, families=(4, 6))
_SMALL = Shape(nodes=3, zones=1)
_LAGGING = Shape(nodes=12, lag=60.0, starved=0.05, clocks=True)
_PACE = Pace(2.0, 20.0, 10.0)

_FAULTS = (
    "node", "node_in", "node_out loss 0.3", "node loss 0.3", "node loss 0.1", "node_dead", "pod_network",
    "pod_network_in loss 0.3", "pod_network_out", "zone_pair", "zone_pair loss 0.1", "pair", "pair loss 0.3",
    "pair_udp", "pair_port", "pair_mtu", "node_mtu", "dns_udp", "dns_silent", "dns_gone", "dns_all_udp", "dns_node",
    "service_proxy", "api_silent", "api_gone", "ingress_silent", "agent_gone", "agent_frozen", "node loss 0.02",
    "any + any", "any loss 0.3 + any loss 0.3",
)  # fmt: skip
_OF_FAMILIES = ("node_family", "pair_family")
_OF_THREE = ("node", "pair", "dns_silent")
_QUIET = ("story drain", "story rollout", "story scale_down", "story throttling", "healthy")


class Pooled(msgspec.Struct, frozen=True):
    """Shares of runs: right when due, with anything wrong on the way, silent by the end; and how many false alarms
    there were in runs without a fault."""

    right: float
    wrong: float
    silent: float
    alarms: int


def jobs(seeds: Iterable[int]) -> list[Job]:
    """The runs."""
    rows = [(row, _SHAPE) for row in _FAULTS]
    rows += [(row, _BOTH) for row in _OF_FAMILIES]
    rows += [(row, _SMALL) for row in _OF_THREE]
    rows += [(row, _LAGGING) for row in _QUIET]
    return [Job(row, shape, seed, pace=_PACE) for seed in seeds for row, shape in rows]


def pooled(scores: Sequence[Score]) -> Pooled:
    """What the runs come to together."""
    faulty = [score for score in scores if score.truth]
    goals = [(score, goal) for score in faulty if (goal := goal_of(parse(score.row))) is not None]
    return Pooled(
        right=sum(goal.met(score) for score, goal in goals) / len(faulty),
        wrong=sum(score.wrong > 0 for score in faulty) / len(faulty),
        silent=sum(score.silence is not None for score in faulty) / len(faulty),
        alarms=sum(score.alarms for score in scores if not score.truth),
    )
