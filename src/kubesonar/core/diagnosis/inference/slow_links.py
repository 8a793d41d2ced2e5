"""Nodes whose link is slow: told from how far apart packets of full size arrive, before loss is looked at, because a
saturated link loses packets and makes everything through it late."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec

from kubesonar.core.diagnosis.evidence import Cell, Speed
from kubesonar.core.diagnosis.population import Population

SLOW = 50e6
"""A link below this (bits/s) is reported: less than half of the slowest Ethernet in use."""

_ALIKE = 3.0
"""Rates within this factor of each other are of the same bottleneck."""

NEWEST = 3
"""Newest measurements of the way from one node to another that count, of all families and networks: at default rates
each of these is measured once a minute. Fewer, and a single one that a busy CPU delayed makes a slow way; more, and a
slow link is told, and is over, that much later."""

_LEAST_PEERS = 2
_LEAST_TRIALS = 8


class SlowLink(msgspec.Struct, frozen=True):
    """A node, the rate that its link passes (bits/s) and the peers that say so, of how many that were asked."""

    node: str
    rate: float
    peers: tuple[str, ...]
    asked: int


def slow_links(who: Population, speeds: Sequence[Speed]) -> list[SlowLink]:
    """The nodes most of whose peers saw a low rate to or from them; a pair is held against one of its ends only."""
    measured: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for speed in speeds:
        ends = who.members[speed.source].node, who.members[speed.target].node
        measured.setdefault(ends, []).extend(speed.rates)
    pairs = {ends: _usual([rate for _, rate in sorted(rates)[-NEWEST:]]) for ends, rates in measured.items()}
    found: list[SlowLink] = []
    while (link := _slowest(pairs)) is not None:
        found.append(link)
        pairs = {pair: rate for pair, rate in pairs.items() if link.node not in pair}
    return found


def _usual(rates: Sequence[float]) -> float:
    """Return the median of what was measured, oldest first, 0 where most trains were too fast or too broken to tell. As
    many of each: the newest decides."""
    measured = [rate for rate in rates if rate]
    most = 2 * len(measured) - len(rates)
    return median(measured) if measured and (most > 0 or (most == 0 and rates[-1])) else 0.0


def _slowest(pairs: dict[tuple[str, str], float]) -> SlowLink | None:
    nodes = sorted({node for pair in pairs for node in pair})
    links = [link for node in nodes for end in (0, 1) if (link := _judge(pairs, node, end)) is not None]
    return max(links, key=lambda link: (len(link.peers) / link.asked, len(link.peers)), default=None)


def _judge(pairs: dict[tuple[str, str], float], node: str, end: int) -> SlowLink | None:
    rates = {pair[1 - end]: rate for pair, rate in pairs.items() if pair[end] == node}
    slow = {peer: rate for peer, rate in rates.items() if 0 < rate < SLOW}
    if not slow:
        return None
    middle = median(slow.values())
    alike = sorted(peer for peer, rate in slow.items() if middle / _ALIKE <= rate <= middle * _ALIKE)
    if len(alike) < _LEAST_PEERS or 2 * len(alike) <= len(rates):
        return None
    return SlowLink(node, middle, tuple(alike), len(rates))


def dead_pairs(cells: Sequence[Cell], bins: int) -> set[tuple[str, str]]:
    """Pairs of places between which nothing at all came through in the newest `bins`: more than a slow link does."""
    counts: dict[tuple[str, str], list[int]] = {}
    for cell in cells:
        if cell.route.reach:
            count = counts.setdefault((cell.route.source.place, cell.route.target.place), [0, 0])
            count[0] += sum(cell.total[:bins])
            count[1] += sum(cell.bad[:bins])
    return {pair for pair, (total, bad) in counts.items() if total == bad and total >= _LEAST_TRIALS}
