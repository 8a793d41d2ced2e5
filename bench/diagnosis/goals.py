"""What is to be reached, by class of rows: how many runs must say exactly the right thing, and by when."""

from __future__ import annotations

import msgspec

from bench.diagnosis.rows import ANY, FAMILY, SLOW, Row
from bench.diagnosis.scoring import Score


class Goal(msgspec.Struct, frozen=True):
    """A class of rows: at `due` seconds after the onset at least `share` of the runs are right. `ever`: they were right
    once by then, because the fault comes and goes."""

    name: str
    due: int
    share: float
    ever: bool = False

    def met(self, score: Score) -> bool:
        """Whether that run was right in time."""
        if self.ever:
            return score.first_right is not None and score.first_right <= self.due
        return score.right_at.get(self.due, False)


_FINE = ("pair_port", "pair_udp", "pair_mtu", "node_mtu", "node_mtu_both", *FAMILY)
"""Faults that hit some packets only, by port, transport, size or family."""
_SERVERS = ("dns", "api", "ingress", "outside", "service", "node_target", "zone_target")
_EDGES = ("pair", "pair_both", "pair_pod")


def goal_of(row: Row) -> Goal | None:
    """The class that a row belongs to, None for stories and where nothing is wrong."""
    faults = row.faults
    if not faults:
        return None
    least = min(fault.share for fault in faults)
    if len(faults) > 1 or faults[0].kind == ANY:
        return Goal(f"{len(faults)} at once", 20 if least < 1 else 25, 0.95)
    kind, manner = faults[0].kind, faults[0].manner
    if manner == "flapping":
        return Goal("flapping", 60, 0.9, ever=True)
    if manner != "steady":
        return Goal("bursty, correlated", 60, 0.9)
    if kind in SLOW:
        return Goal("slow", 120, 0.9)
    if kind in _EDGES or (kind in _FINE and least < 1):
        return _edge(least)
    if kind.startswith(_SERVERS):
        return Goal("DNS and targets, hard", 15, 0.99) if least >= 1 else Goal("DNS and targets, at times", 60, 0.9)
    if least >= 1:
        return _hard(kind)
    if least >= 0.1:
        return Goal("10 and 30 % loss", 20, 0.97)
    return Goal("2 % loss", 60, 0.9) if least >= 0.01 else Goal("0.5 % loss", 600, 0.9)


def _edge(least: float) -> Goal:
    if least >= 1:
        return Goal("a pair, hard", 10, 0.99)
    if least >= 0.1:
        return Goal("a pair, 10 and 30 % loss", 60, 0.9)
    return Goal("a pair, 2 % loss", 120, 0.9) if least >= 0.01 else Goal("a pair, 0.5 % loss", 600, 0.5)


def _hard(kind: str) -> Goal:
    if kind == "agent_frozen":
        return Goal("frozen", 25, 0.99)
    if kind in _FINE:
        return Goal("port, UDP, size, family, hard", 20, 0.99)
    return Goal("nodes, pod networks, zones, hard", 10, 0.99)
