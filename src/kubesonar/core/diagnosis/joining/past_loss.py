"""Loss in the past between pairs that are well now: whether it stands out from what is usual in this mesh."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import median

import msgspec

from kubesonar.core.diagnosis.evidence import FAINT
from kubesonar.core.diagnosis.inference.background import BACKGROUND
from kubesonar.core.diagnosis.inference.upper_bound import best_gain
from kubesonar.core.diagnosis.population import Population
from kubesonar.model import Edge

Pair = tuple[str, str]
"""A source and a target, by their names."""

STANDING_OUT = 12.0
"""What loss in the past must explain at least (nats) to be looked at. Higher, and faint loss is passed over that the
best onset would make a finding of; lower, and chance is looked at for nothing."""


class PastTrials(msgspec.Struct, frozen=True, gc=False):
    """Of an edge, beyond its windows: how many trials there were, how many were bad, and how many of these lost no more
    than faint loss does."""

    trials: int
    bad: int
    faint: int


NO_PAST = PastTrials(0, 0, 0)
"""The past of what has none."""


def past_trials(edge: Edge) -> PastTrials:
    """Return what the minutes of that edge say."""
    trials = bad = faint = 0
    for minute in edge.past:
        trials += minute.trials
        if minute.bad:
            bad += len(minute.bad)
            faint += sum(trial.sent - trial.received <= FAINT * trial.sent for trial in minute.bad)
    return PastTrials(trials, bad, faint)


class PastLoss:
    """Counts the trials of the past, by pair and by the words (nodes, zones, plain targets) that loss may be held
    against."""

    def __init__(self, who: Population) -> None:
        self._members = who.members
        self._by_word: dict[str, _Count] = {}
        self._faint: list[tuple[Pair, int, int]] = []

    def add(self, pair: Pair, words: Iterable[str], past: PastTrials) -> None:
        """Count the past of an edge of that pair, of which these are the `words`."""
        if past.bad:
            self._faint.append((pair, past.trials, past.bad))
        for word in words:
            count = self._by_word.get(word)
            if count is None:
                count = self._by_word[word] = _Count()
            count.total += past.trials
            count.bad += past.bad

    def words(self, pair: Pair) -> tuple[str, ...]:
        """Return what loss between that pair is held against: nodes, zones and plain targets."""
        source, target = self._members[pair[0]], self._members.get(pair[1])
        if target is None:
            return f"{source.node}>", pair[1]
        return source.node, target.node, f"{source.zone}>{target.zone}"

    def standing_out(self) -> Iterator[Pair]:
        """Return the pairs whose loss stands out, or crosses something whose loss does."""
        usual = self._usual()
        standing = {word for word, count in self._by_word.items() if count.most(usual) > STANDING_OUT}
        between: dict[frozenset[str], _Count] = {}
        for pair, total, bad in self._faint:
            count = between.setdefault(self._places(pair), _Count())
            count.total += total
            count.bad += bad
        for pair, _, _ in self._faint:
            if between[self._places(pair)].most(usual) > STANDING_OUT or standing.intersection(self.words(pair)):
                yield pair

    def _places(self, pair: Pair) -> frozenset[str]:
        target = self._members.get(pair[1])
        return frozenset((self._members[pair[0]].node, target.node if target else pair[1]))

    def _usual(self) -> float:
        shares = [count.bad / count.total for count in self._by_word.values() if count.total]
        return max(BACKGROUND, median(shares)) if shares else BACKGROUND


class _Count:
    __slots__ = ("bad", "total")

    def __init__(self) -> None:
        self.total = self.bad = 0

    def most(self, usual: float) -> float:
        """The most that any rate of loss explains of it (nats)."""
        return best_gain(self.total, (self.bad, usual))
