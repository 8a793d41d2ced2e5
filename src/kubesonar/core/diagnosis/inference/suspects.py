"""Suspects that a search chose: a part, how it loses, by what it was seen, and what else might explain it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.inference.belief import Belief
from kubesonar.core.diagnosis.inference.likelihood import Fit
from kubesonar.core.diagnosis.inference.two_rates import (
    EXTRA_RATE,
    TwoRates,
    WayCounts,
    one_rate,
    seen_by_one,
    two_rates,
)
from kubesonar.core.diagnosis.parts.part import Part
from kubesonar.core.diagnosis.parts.table import PARTS

SuspectKey = tuple[int, str]
"""A row of `PARTS`, by its index, and a subject."""


CLEAR = 3.0
"""Nats by which one explanation must lead before the next one is held to be refuted."""


class Rival(msgspec.Struct, frozen=True):
    """Another explanation of most of the same trials, and by how much (nats) the chosen one leads. `same`: the same
    trials cross it, so that no further trial of these can tell. `more` is how much more it would explain, were it
    not held to be less probable beforehand. `within`: some of the same trials cross it, and no others."""

    part: str
    subject: str
    lead: float
    same: bool = False
    more: float = 0.0
    within: bool = False


class Suspect(msgspec.Struct, frozen=True):
    """A part that explains the failures of `cells`. `rates` are those of its two ways, where it has two. `bad_at` is
    when trials through it were bad, in order, `times` those of them since it began, `rivals` the next best
    explanations; `net` is the gain, counted by events, after the penalty (nats). `latest` is when something was lost by
    it last that no other part explains; None where that is not known."""

    key: SuspectKey
    fit: Fit
    rates: TwoRates | None
    indexes: list[int]
    cells: list[Cell]
    bad_at: list[float]
    times: Sequence[float]
    rivals: list[Rival]
    net: float
    latest: float | None = None

    @property
    def part(self) -> Part:
        """The row."""
        return PARTS[self.key[0]]

    @property
    def subject(self) -> str:
        """The part of that kind, as findings write it."""
        return self.key[1]

    @property
    def named(self) -> tuple[str, str]:
        """The name of the part and the subject, by which it is known from look to look: rows of one name are one."""
        return self.part.name, self.subject


_TOTAL = 0.9
"""Loss from which on a part is held to let nothing through."""


class Choice(msgspec.Struct, frozen=True):
    """One of the three readings of a part with two ways, and the others."""

    key: SuspectKey
    fit: Fit
    rates: TwoRates | None
    rivals: list[Rival]


_FAMILIES = {
    name: (index, *(next(at for at, row in enumerate(PARTS) if row.name == way) for way in wide.ways))
    for index, wide in enumerate(PARTS)
    if wide.ways is not None
    for name in (wide.name, *wide.ways)
}
"""Families of rows by the name of any of them: the rows of both ways, of the way in and of the way out."""


def relatives(key: SuspectKey) -> list[SuspectKey]:
    """The key itself, or, where its part has two ways, the keys of both, of the way in and of the way out."""
    rows = _FAMILIES.get(PARTS[key[0]].name)
    return [key] if rows is None else [(row, key[1]) for row in rows]


def choose_ways(
    key: SuspectKey,
    found: Fit,
    beliefs: Mapping[SuspectKey, list[Belief]],
    penalty: Callable[[SuspectKey], float],
) -> Choice:
    """Return the suspect with those ways of the part that are sick: both at two rates, or one, which what is lost
    between the part and a single peer does not make two; the part as it is where it has no ways, or `beliefs` hold none
    of them. `penalty` says how improbable each is beforehand (nats)."""
    rows = relatives(key)
    if len(rows) == 1 or found.ended or rows[0] not in beliefs:
        return Choice(key, found, None, [])
    wide, way_in, way_out = rows
    trials = beliefs[wide]
    share = PARTS[wide[0]].share
    counts = WayCounts(trials, key[1], share, found.bins)
    both = two_rates(counts, found.rate)
    readings = [
        (one.gain, row, one)
        for row, inward in ((way_in, True), (way_out, False))
        if row in beliefs
        for one in [one_rate(counts, inward=inward)]
    ]
    equal = both.inward == both.outward
    alone = max(readings, key=lambda reading: reading[0] - penalty(reading[1]), default=None)
    by_one = not equal and alone is not None and seen_by_one(trials, key[1], share, found.bins, both, alone[2])
    if not readings or (both.inward and both.outward and not by_one):
        readings.insert(0, (both.gain - (0.0 if equal else EXTRA_RATE), wide, both))
    nets = sorted(((gain - penalty(row), row, rates) for gain, row, rates in readings), key=lambda each: -each[0])
    best, row, rates = nets[0]
    rate = max(rates.inward, rates.outward)
    total = rate >= _TOTAL  # nothing comes out then, and nobody knows what gets in: no further trial can tell
    rivals = [Rival(PARTS[other[0]].name, other[1], best - net, total) for net, other, _ in nets[1:]]
    return Choice(row, Fit(found.gain, rate, found.bins, 0, found.past), rates, rivals)
