"""What is lost in a network that is well: learned from the evidence itself, and without what a fault does to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import NamedTuple

from kubesonar.core.diagnosis.evidence import Cell, Quiet
from kubesonar.core.diagnosis.inference.trial_model import BIG, Load, Odds, lossy, may_be_bad_in_part
from kubesonar.core.diagnosis.parts.traversal import Aspect, Way
from kubesonar.model import Network

BACKGROUND = 1e-3
"""Share of bad trials in a network that is well, at least."""

BACKGROUND_LIMIT = 0.2
"""Share of bad trials that is never held to be usual: higher, and loss in all parts at once is called well."""

_BIG_ONES = 1e-5
"""Share of trials of size that are bad by chance: three losses in a row beside as many successes."""

_CAUTION = 1.3
"""What is learned is taken this much higher, because losses come in bursts."""

_OUTLYING = 2.5
"""Standard deviations from which on a pair of places is left out as faulty."""

_LEAST_USUAL = 0.01
"""Share of bad trials that does not make a pair stand out: less, and in a network that is well one bad trial of a dozen
would, and all background be taken for none."""

_FEW_BAD = 1.0
"""Bad trials of a pair that are held to be usual though the others lost less, where `_LEAST_USUAL` of its trials are
more: of a quarter of an hour's trials that is more than faint loss leaves. Fewer, and a pair stands out by three that
it lost by chance; more, and in a mesh of three nodes what 0.5 % of loss leaves is held to be usual for minutes
longer."""

_BY_CHANCE = 1.5
"""Bad trials (standard deviation) that those which say what is usual may have more or fewer by chance. Fewer, and what
others lose in a quarter of an hour is a fault beside a pair that is known for a minute and lost nothing (one window in
50 at 1); more, and what pairs lose that are in doubt, and so are asked more often, is held to be usual."""

_NONE_SEEN = 3.0
"""Bad trials that a share may stand for though none was seen (with 95 %)."""

_LEFT_OPEN = 1.0
"""Bad trials that a group may be short of by chance, where others of which more trials are known lost more. Fewer, and
where two dozen trains alone tell what is usual, and none was lost by chance, what others lose is a fault; three, and
0.5 % of loss into one of three nodes is told minutes later."""

_FARTHER = 1.5
"""How many times as much as within a zone may be lost between zones for it to be usual: a packet crosses one thing
more. Less, and lossy ways between zones are findings for ever; more, and of two zones nothing is told of the way
between."""

_ROUNDS = 6

Group = tuple[int, Network | None, bool, bool]
"""Trials that are alike when all is well: their packets, the network, whether they are round trips, and whether they
go from one zone to another, where there is one thing more to lose them."""


def group_of(cell: Cell) -> Group:
    """The group of a cell's trials."""
    route = cell.route
    return cell.packets, route.source.network, route.way is Way.ROUND, route.source.zone != route.target.zone


class Background:
    """The odds of a trial in a network that is well, by group, learned from these cells: the pooled share of bad trials
    over all pairs of places but those that stand out."""

    def __init__(self, cells: Iterable[Cell], quiet: Iterable[Quiet] = ()) -> None:
        counts: dict[Group, dict[tuple[str, str], list[float]]] = {}
        for cell in cells:
            if cell.route.question is Aspect.REACH and cell.route.between_members:
                # Both ways between two as one: told apart, two lossy ways beside a lossy node are told as others.
                pair = cell.route.source.place, cell.route.target.place
                count = counts.setdefault(group_of(cell), {}).setdefault(pair, [0, 0, 0])
                count[0] += sum(cell.total)
                count[1] += sum(cell.bad)
                count[2] += sum(cell.dead)
        pooled = {group: list(pairs.values()) for group, pairs in counts.items()}
        for each in quiet:
            group = each.packets, each.network, each.round_trip, each.far
            known = pooled.setdefault(group, [])
            as_many = min(each.pairs, 4 * len(known) + 1)  # the best quarter is well, however many more are
            known += [[each.trials // as_many, each.bad / as_many, 0]] * as_many
        self._learned = _held_together({group: usual for group in pooled if (usual := _pooled(pooled[group])).trials})
        self._one_way = {where for packets, where, round_trip, _ in self._learned if packets > 1 and not round_trip}
        self._packet = {network: self._lost(network) for network in (*Network, None)}
        self.least = self._least()
        """The least odds of a train one way, over all groups."""

    def _least(self) -> Odds:
        trains = [odds for (packets, _, round_trip, _), odds in self._learned.items() if packets > 1 and not round_trip]
        bad = max(BACKGROUND, min((odds.bad for odds in trains), default=0.0))
        return Odds(bad, min(max(BACKGROUND / 2, min((odds.dead for odds in trains), default=0.0)), bad / 2))

    def odds(self, cell: Cell) -> Odds:
        """The odds of that cell's trials."""
        if cell.packets == BIG:
            return Odds(_BIG_ONES, _BIG_ONES)
        if cell.route.question is Aspect.SIZE:
            lost = lossy(Load(cell.packets, len(cell.route.legs)), self._packet[cell.route.source.network]).bad
            return Odds(max(lost, BACKGROUND), max(lost, BACKGROUND))
        if cell.route.question not in (Aspect.REACH, Aspect.RESOLVE):
            return Odds(BACKGROUND, BACKGROUND)
        group = group_of(cell)
        expected = self._learned.get(group) if cell.route.between_members else None
        if expected is None or self._by_trains(group):
            expected = lossy(Load(cell.packets, 2), self._packet[cell.route.source.network])
        bad = max(expected.bad, BACKGROUND)
        in_part = may_be_bad_in_part(cell.packets)
        return Odds(bad, min(max(expected.dead, BACKGROUND / 2), bad / 2) if in_part else bad)

    def _by_trains(self, group: Group) -> bool:
        """Return whether more is known from trains that are counted one way: of connections and pings few are made, and
        trains to members that cannot be read may all be sick."""
        packets, network, round_trip, far = group
        if packets > 1:
            return round_trip and (packets, network, False, far) in self._learned
        return network in self._one_way

    def _lost(self, network: Network | None) -> float:
        """The rate at which one packet is lost on one way, from the trains."""
        rates = [
            1 - (1 - odds.bad) ** (1 / (packets * (2 if round_trip else 1)))
            for (packets, where, round_trip, far), odds in self._learned.items()
            if packets > 1 and where is network and not self._by_trains((packets, where, round_trip, far))
        ]
        return min(rates, default=0.0)


class _Usual(NamedTuple):
    """The share of trials that are bad, and that are dead, as so many trials say."""

    bad: float
    dead: float
    trials: float


def _held_together(usual: Mapping[Group, _Usual]) -> dict[Group, Odds]:
    """The odds of each group. In a small mesh few pairs, or none but sick ones, may be within a zone, or between two:
    so neither loses much more than the other. What few trials leave open those say of which there are most, as where of
    one network or within a zone only the trains of a member that cannot be read are counted one way."""
    odds = {}
    for group, found in usual.items():
        packets, network, round_trip, far = group
        other = usual.get((packets, network, round_trip, not far))
        best_known = max(
            (each for (size, _, both, _), each in usual.items() if (size, both) == (packets, round_trip)),
            key=lambda each: each.trials,
        )
        bad = max(found.bad, min(best_known.bad, found.bad + _LEFT_OPEN / found.trials))
        if other is not None:
            most = other.bad + _NONE_SEEN / other.trials
            bad = min(bad, _FARTHER * most if far else most)
        bad, dead = _CAUTION * bad, _CAUTION * min(found.dead, bad)
        odds[group] = Odds(min(bad, BACKGROUND_LIMIT), min(dead, BACKGROUND_LIMIT))
    return odds


def _pooled(pairs: list[list[float]]) -> _Usual:
    """What is usual of the pairs that do not stand out from the best quarter of them: pairs in doubt are asked more
    often than others, so that the mean over all trials is mostly theirs."""
    pairs = sorted((count for count in pairs if count[0]), key=lambda count: count[1] / count[0])
    if not pairs:
        return _Usual(0.0, 0.0, 0.0)
    kept = pairs[: -(-len(pairs) // 4)]
    share = 0.0
    for sure in (True, False):
        for _ in range(_ROUNDS):
            known = sum(count[0] for count in kept)
            share = sum(count[1] for count in kept) / known
            left = [count for count in pairs if count[1] <= _most(count[0], share, known, sure=sure)] or kept
            if len(left) == len(kept):
                break
            kept = left
    total = sum(count[0] for count in kept)
    return _Usual(share, sum(count[2] for count in kept) / total, total)


def _most(total: float, share: float, known: float, *, sure: bool) -> float:
    """Return how many of `total` trials are bad at most where the share is usual, which so many `known` trials say: few
    of them say little, and in a small mesh the best pairs are those that lost least by chance. Unless these are held to
    be `sure`, a bad trial of them more or less is chance as well: a pair that is known for a minute, because its agent
    has just started or cannot be read, says little of what others lose in a quarter of an hour."""
    share = max(share, min(_LEAST_USUAL, _FEW_BAD / total))
    expected = total * share
    spread = expected * (1 - share) * (1 + total / known)
    if not sure:
        spread = max(spread, (_BY_CHANCE * total / known) ** 2)
    return expected + _OUTLYING * sqrt(spread) + 0.5
