"""What the plan pays for: how soon the datagrams that cross a part could prove its loss, whoever judges them.

Counted are datagrams of trains on the way on which the part lies, at the rates of the real plan; the number of losses
is a Poisson variable. A loss of share p against a background b is worth ln(p/b) nats, what passes ln((1-p)/(1-b)) each.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, log
from typing import NamedTuple

from bench.diagnosis.cluster import Place, Shape
from bench.diagnosis.network import Component, Flow, crossed
from bench.diagnosis.prober import TRAIN
from bench.diagnosis.simulation import Simulation
from kubesonar.model import Kind, Side

_BACKGROUND = 1e-4
_MARGIN = 7.0
"""Nats beyond the logarithm of how many parts could be it: one wrong explanation in a thousand."""
_SURE = 0.9
"""Share of runs in which so many nats must have come together."""
_PARTS = {
    "node, one way": "node_in",
    "pod network, one way": "pod_in",
    "zone pair": "zone",
    "pair": "pair",
}


class Limit(NamedTuple):
    """Of a kind of part: datagrams a second that cross one of them (the median), how many there are, and by share of
    loss after how many seconds it can be told."""

    part: str
    subjects: int
    rate: float
    after: dict[float, float]


def limits(shape: Shape, shares: tuple[float, ...] = (0.3, 0.1, 0.02, 0.005)) -> list[Limit]:
    """The limits in a cluster of that shape."""
    rates = _rates(shape)
    found = []
    for name, kind in _PARTS.items():
        ranked = sorted(rate for component, rate in rates.items() if component[0] == kind)
        if ranked:
            rate = ranked[len(ranked) // 2]
            needed = log(len(rates)) + _MARGIN
            found.append(Limit(name, len(ranked), rate, {share: after(rate, share, needed) for share in shares}))
    return found


def after(rate: float, share: float, needed: float) -> float:
    """Seconds until nine of ten runs have `needed` nats, at so many datagrams a second."""
    seconds = 0.5
    while seconds < 36_000:
        sent = rate * seconds
        passed = sent * log((1 - share) / (1 - _BACKGROUND))
        least = (needed - passed) / log(share / _BACKGROUND)
        if _at_least(least, sent * share) >= _SURE:
            return seconds
        seconds *= 1.1
    return seconds


def _at_least(count: float, mean: float) -> float:
    """The chance that a Poisson variable is no less than `count`."""
    if mean > 500:
        return 1.0 if count < 0.9 * mean else 0.0
    term, below, number = exp(-mean), 0.0, 0
    while number < count:
        below += term
        number += 1
        term *= mean / number
    return 1.0 - below


def _rates(shape: Shape) -> dict[Component, float]:
    """Datagrams a second by component, of trains and of their answers."""
    sim = Simulation(shape, 1)
    sim.run(5.0)
    rates: dict[Component, float] = {}
    for start, end, rate in _trains(sim):
        flow = Flow("udp", 7473)
        for component in (*crossed(start, end, flow), *crossed(end, start, flow)):
            rates[component] = rates.get(component, 0.0) + rate
    return rates


def _trains(sim: Simulation) -> Iterator[tuple[Place, Place, float]]:
    for agent in sim.agents.values():
        for observation in agent.ledger.latest():
            check = observation.check
            member = sim.members.get(check.target)
            if (
                check.kind is Kind.UDP
                and observation.side is Side.SOURCE
                and member
                and member.node != agent.place.node
            ):
                yield agent.place, sim.cluster.places[check.target], TRAIN / check.period


def table(shape: Shape) -> str:
    """The limits as a table in Markdown."""
    shares = (0.3, 0.1, 0.02, 0.005)
    head = ["part", "subjects", "datagrams/s across one", *(f"{100 * share:g} % loss after" for share in shares)]
    lines = ["| " + " | ".join(head) + " |", "|" + " - |" * len(head)]
    for limit in limits(shape, shares):
        cells = [limit.part, str(limit.subjects), f"{limit.rate:.0f}"]
        cells += [f"{limit.after[share]:.0f} s" for share in shares]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
