"""Windows of a cluster in which nothing is wrong, many a second: what was lost there is drawn anew.

One simulation says which trials there are, by which ways and how old. Which of their packets get lost is then drawn
again and again by what the components of `network` lose, which the diagnosis knows nothing of.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, groupby, pairwise
from math import log
from random import Random
from typing import NamedTuple

import msgspec

from bench.diagnosis.cluster import Place
from bench.diagnosis.network import Component, Flow, crossed
from kubesonar.core.diagnosis.evidence import FAINT, SETTLE, Cell
from kubesonar.core.diagnosis.joining.join import Basis
from kubesonar.core.diagnosis.parts.traversal import Aspect, End

BURST_EVERY, BURST_LENGTH, BURST_LOSS = 600.0, 2.0, 0.5
"""Seconds between the bursts of a component in the mean, seconds that one lasts in the mean (exponential), and the
share of packets that it loses."""

_DRAWN = frozenset({Aspect.REACH, Aspect.RESOLVE, Aspect.SIZE})
"""What is asked by trials that lost packets make bad."""


class _Bad(NamedTuple):
    """A bad trial: its number, and how many of its packets, by the count of the evidence, were lost."""

    trial: int
    sent: int
    lost: int


class _Crossing(NamedTuple):
    """Trials with what their packets may get lost in: of each way that they may have gone the components, both ways
    where both count."""

    cell: Cell
    ways: tuple[tuple[Component, ...], ...]

    def lost(self, background: float) -> float:
        """The chance that a packet, or the answer to it, is lost where each component loses so much."""
        return sum(1 - (1 - background) ** len(way) for way in self.ways) / len(self.ways)


class Redrawn:
    """The evidence of `found` with other losses. `places` are those of the cluster."""

    def __init__(self, found: Basis, places: Mapping[str, Place]) -> None:
        self._found = found
        self._places = places
        found.evidence.reserve.everything()
        self._cells = list(found.evidence.cells)
        self._ages = found.evidence.ages
        self._spans = [(max(SETTLE, low), high) for low, high in pairwise((0.0, *self._ages.edges))]
        self._crossings = {
            index: _Crossing(cell, ways)
            for index, cell in enumerate(self._cells)
            if cell.route.question in _DRAWN and any(cell.total) and (ways := self._ways(cell))
        }
        self._crossed: dict[Component, list[int]] = {}
        for index, crossing in self._crossings.items():
            for component in sorted({component for way in crossing.ways for component in way}):
                self._crossed.setdefault(component, []).append(index)

    def window(self, rng: Random, background: float, *, bursts: bool = False) -> Basis:
        """Return the basis of one window in which each component loses that share of packets; `bursts`: and half of
        them in bursts of some seconds."""
        cells = list(self._cells)
        changed: dict[int, Cell] = {}
        for index, crossing in self._crossings.items():
            ends = list(accumulate(crossing.cell.total))
            for bad in _bad(rng, ends[-1], crossing.cell.packets, crossing.lost(background)):
                age_bin = bisect_right(ends, bad.trial)
                self._lose(self._changed(changed, index), age_bin, rng.uniform(*self._spans[age_bin]), bad)
        if bursts:
            for component in self._crossed:
                self._burst(rng, component, changed)
        for index, cell in changed.items():
            cell.bad_at.sort()
            cell.gone_at.sort()
            cells[index] = cell
        evidence = msgspec.structs.replace(self._found.evidence, cells=cells, quiet=())
        return msgspec.structs.replace(self._found, evidence=evidence)

    def _ways(self, cell: Cell) -> tuple[tuple[Component, ...], ...]:
        return tuple(
            tuple(component for start, end in legs for component in self._leg(start, end))
            for legs in cell.route.ways
            if all(start.name in self._places and end.name in self._places for start, end in legs)
        )

    def _leg(self, start: End, end: End) -> Sequence[Component]:
        return crossed(self._places[start.name], self._places[end.name], Flow("udp"))

    def _changed(self, changed: dict[int, Cell], index: int) -> Cell:
        """The window's own copy of that cell."""
        cell = changed.get(index)
        if cell is None:
            base = self._cells[index]
            cell = changed[index] = Cell(base.route, base.packets, len(base.total))
            for name in ("total", "bad", "dead", "sent", "lost", "bad_at", "gone_at"):
                setattr(cell, name, list(getattr(base, name)))
        return cell

    def _lose(self, cell: Cell, age_bin: int, age: float, bad: _Bad) -> None:
        """Makes a good trial of that bin a bad one, as joining both ends counts it."""
        at = self._found.at - age
        if cell.total[age_bin] <= cell.bad[age_bin]:
            return
        if age_bin >= self._ages.window and bad.lost > FAINT * bad.sent and cell.packets > 1:
            cell.total[age_bin] -= 1
            cell.sent[age_bin] -= bad.sent
            cell.gone_at.append(at)
            return
        cell.bad[age_bin] += 1
        cell.dead[age_bin] += bad.lost >= bad.sent
        cell.lost[age_bin] += bad.lost
        cell.bad_at.append(at)

    def _burst(self, rng: Random, component: Component, changed: dict[int, Cell]) -> None:
        """Has the component lose packets in bursts, as long as is remembered; a question of one packet that was lost in
        one that is past does not count, since trains show what it was."""
        edges, until = self._ages.edges, 0.0
        while (until := until + rng.expovariate(1 / BURST_EVERY)) < self._ages.memory:
            since, until = until, until + rng.expovariate(1 / BURST_LENGTH)
            for index in self._crossed[component]:
                cell, ways = self._crossings[index]
                share = BURST_LOSS * sum(component in way for way in ways) / len(ways)
                last = bisect_right(edges, until) if cell.packets > 1 else self._ages.window - 1
                for age_bin in range(bisect_right(edges, since), min(last + 1, len(edges))):
                    youngest, oldest = self._spans[age_bin]
                    low, high = max(youngest, since), min(oldest, until)
                    trials = int(cell.total[age_bin] * (high - low) / (oldest - youngest) + rng.random())
                    for bad in _bad(rng, trials, cell.packets, share):
                        self._lose(self._changed(changed, index), age_bin, rng.uniform(low, high), bad)


def _bad(rng: Random, trials: int, packets: int, lost: float) -> Iterator[_Bad]:
    """Return which of so many trials are bad where that share of packets is lost. `packets` says what a trial is, as
    `Cell.packets` does: a train of so many datagrams, a packet and its answer, tries of TCP, a look-up of names."""
    if packets > 1:
        losses = (number // packets for number in _hits(rng, trials * packets, lost))
        yield from (_Bad(trial, packets, len(list(each))) for trial, each in groupby(losses))
    elif packets == 1:
        yield from (_Bad(trial, 1, 1) for trial in _hits(rng, trials, lost))
    elif packets == 0:  # three big packets are lost where a small one passes
        yield from (_Bad(trial, 1, 1) for trial in _hits(rng, trials, lost**3))
    elif packets < -10:  # names, of each two questions
        yield from (_Bad(trial, 1, 1) for trial in _hits(rng, trials, 1 - (1 - lost) ** (2 * (-10 - packets))))
    elif packets >= -4:  # only that all tries were lost shows
        yield from (_Bad(trial, 1, 1) for trial in _hits(rng, trials, lost**-packets))
    else:  # each SYN that was sent again shows
        for trial in _hits(rng, trials, lost):
            tries = -4 - packets
            again = next((count for count in range(1, tries) if rng.random() >= lost), tries)
            yield _Bad(trial, 1, 1) if again == tries else _Bad(trial, again + 1, again)


def _hits(rng: Random, count: int, chance: float) -> Iterator[int]:
    """Return which of so many numbers are hit, each with that chance."""
    if chance <= 0.0:
        return
    scale = log(1 - chance)
    number = int(log(1 - rng.random()) / scale)
    while number < count:
        yield number
        number += 1 + int(log(1 - rng.random()) / scale)
