"""Loss in the past between pairs that are well now: whether it stands out from what is usual in this mesh."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

import msgspec

from kubesonar.core.diagnosis.evidence import FAINT
from kubesonar.core.diagnosis.inference.background import BACKGROUND
from kubesonar.core.diagnosis.inference.upper_bound import best_gain
from kubesonar.model import Edge, Member

Pair = tuple[str, str]
"""A source and a target, by their names."""

STANDING_OUT = 12.0
"""What loss in the past must explain at least (nats) to be looked at. Higher, and faint loss is passed over that the
best onset would make a finding of; lower, and chance is looked at for nothing."""


_FEW = 128
"""Edges that lost something in the past which are looked at though nothing stands out. Fewer, and in a small mesh, of
whose paths most cross the same sick node, faint loss is held to be usual and not seen; more, and in a big one that
loses a little everywhere time is spent on them for nothing."""


class PastTrials(msgspec.Struct, frozen=True, gc=False):
    """Of an edge, beyond its windows: how many trials there were, how many were bad, how many of these lost no more
    than faint loss does, and when the others were made, by the clock of the source."""

    trials: int
    bad: int
    faint: int
    burst: tuple[float, ...] = ()


def past_trials(edge: Edge) -> PastTrials:
    """Return what the minutes of that edge say."""
    trials = bad = 0
    burst: list[float] = []
    for minute in edge.past:
        trials += minute.trials
        if minute.bad:
            bad += len(minute.bad)
            burst += [trial.at for trial in minute.bad if trial.sent - trial.received > FAINT * trial.sent]
    return PastTrials(trials, bad, bad - len(burst), tuple(burst))


def words_between(source: Member, target: Member | None, name: str) -> tuple[str, ...]:
    """Return what loss from that member to a target of that name is held against: nodes, zones and plain targets."""
    if target is None:
        return f"{source.node}>", name
    return source.node, target.node, f"{source.zone}>{target.zone}"


class LossyPast(msgspec.Struct, frozen=True, gc=False):
    """The past of an edge that lost something: its pair, the places at both ends, what loss is held against, how many
    trials there were and how many were bad. `burst` is when trains lost more than faint loss does, by the clock of the
    source."""

    pair: Pair
    places: frozenset[str]
    words: tuple[str, ...]
    trials: int
    bad: int
    burst: tuple[float, ...] = ()


class PastLoss:
    """Counts the trials of the past by the words that loss may be held against; `lossy` are the edges with bad ones."""

    def __init__(self) -> None:
        self.lossy: list[LossyPast] = []
        self._by_word: dict[str, list[int]] = {}

    def add(self, word: str, trials: int, bad: int) -> None:
        """Count trials that are held against that word."""
        count = self._by_word.setdefault(word, [0, 0])
        count[0] += trials
        count[1] += bad

    def standing_out(self) -> Iterator[Pair]:
        """Return the pairs whose loss stands out, or crosses something whose loss does; all where few lost anything."""
        if len(self.lossy) <= _FEW:
            yield from (edge.pair for edge in self.lossy)
            return
        usual = self._usual()
        words = {word for word, count in self._by_word.items() if _stands_out(count, usual)}
        between: dict[frozenset[str], list[int]] = {}
        for edge in self.lossy:
            count = between.setdefault(edge.places, [0, 0])
            count[0] += edge.trials
            count[1] += edge.bad
        places = {ends for ends, count in between.items() if _stands_out(count, usual)}
        for edge in self.lossy:
            if edge.places in places or not words.isdisjoint(edge.words):
                yield edge.pair

    def _usual(self) -> float:
        shares = [bad / trials for trials, bad in self._by_word.values() if trials]
        return max(BACKGROUND, median(shares)) if shares else BACKGROUND


def _stands_out(count: list[int], usual: float) -> bool:
    """Whether any rate of loss explains that much of these trials."""
    return best_gain(count[0], (count[1], usual)) > STANDING_OUT
