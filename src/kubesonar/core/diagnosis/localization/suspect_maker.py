"""Makes a suspect of a part: which of its ways are sick, since when it was bad, and what else may explain the same."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from math import log

import msgspec

from kubesonar.core.diagnosis.evidence import SETTLE, Cell
from kubesonar.core.diagnosis.inference.belief import Belief
from kubesonar.core.diagnosis.inference.intermittence import LostTrain, may_recur, share_in_bursts
from kubesonar.core.diagnosis.inference.persistence import share_of_events, times_since
from kubesonar.core.diagnosis.inference.suspects import Rival, Suspect, SuspectKey, choose_ways, relatives
from kubesonar.core.diagnosis.inference.two_rates import WayCounts, one_rate, two_rates
from kubesonar.core.diagnosis.localization.part_gains import PartGains
from kubesonar.core.diagnosis.localization.trials import SearchedTrials
from kubesonar.core.diagnosis.parts.table import PARTS

MOST_RIVALS = 3
"""Most other explanations that are told with a suspect."""

_ALIKE = 0.01
"""Difference in what two parts explain, as a share of it, below which hardly a trial tells them apart, now or later."""

_FAR = 0.5
"""A part is not looked at as a rival where all bad trials that cross it are worth less than this share of what the
chosen one explains."""


_OWN = 1.5
"""Nats from which on a bad trial is lost by a part itself: what others explain of it makes it less likely than one in
five. Lower, and what another fault loses shows that one which is over lasts; higher than 1.6, and no trial does where a
fifth of them is usually lost."""

_ALL_DEAD = 0.8
"""Share of bad trains of which nothing came through, from which on nothing is held to get through. Lower, and bursts of
heavy loss do not count; higher, and a cut that comes and goes is told as a loss of some packets."""


_ALONE = 0.8
"""Share of the trains that are bad, of those that were had each packet been lost alone, from which on packets are held
to be lost alone. Lower, and short bursts do not count; higher, and loss that lasts falls apart into bursts."""


class SuspectMaker:
    """Makes suspects at that time (`now`, Unix seconds)."""

    def __init__(self, trials: SearchedTrials, gains: PartGains, now: float) -> None:
        self._trials = trials
        self._gains = gains
        self._now = now

    def make(self, key: SuspectKey, *, as_it_is: bool = False, lasting: bool = False) -> Suspect:
        """Return that part with all that is known of it, or, unless it is to be taken `as_it_is`, the same part's ways
        apart where this explains more; `lasting`: as if it had not ended."""
        trials, gains = self._trials, self._gains
        beliefs = {each: trials.members(each) for each in ([key] if as_it_is else relatives(key))}
        choice = choose_ways(key, gains.lasting(key) if lasting else gains.fit(key), beliefs, gains.penalty)
        found = choice.fit
        if choice.key != key and PARTS[choice.key[0]].ways is None:
            found = msgspec.structs.replace(found, gain=gains.fit(choice.key).gain)  # one way explains less than two
        members = trials.members(choice.key)
        cells = [belief.cell for belief in members]
        bad_at = sorted(at for cell in cells for at in cell.bad_at)
        began = self._now - trials.ages.edges[found.bins - 1]
        by_place: dict[str, list[tuple[float, float]]] = {}
        for belief in members:
            place = belief.cell.route.source.place if PARTS[choice.key[0]].common else ""
            by_place.setdefault(place, []).extend(self._worth(belief, began))
        own = [at for group in by_place.values() for at, nats in group if nats >= _OWN]
        return Suspect(
            key=choice.key,
            fit=found,
            rates=choice.rates,
            indexes=trials.incidence.members(choice.key),
            cells=cells,
            bad_at=sorted([*bad_at, *(at for cell in cells for at in cell.gone_at)]),
            times=times_since(bad_at, began),
            rivals=self._rivals(choice.key, found.gain, choice.rivals),
            net=found.gain * share_of_events(*by_place.values()) - PARTS[choice.key[0]].penalty,
            latest=max(own, default=None),
        )

    def since_onset(self, suspect: Suspect) -> Suspect:
        """Return the suspect with how it loses packets by all trials since it began to."""
        found, rates = self._gains.since_onset(suspect.key, suspect.fit), suspect.rates
        if rates is not None:
            trials, part = self._trials.members(suspect.key), suspect.part
            counts = WayCounts(trials, suspect.subject, part.share, found.bins)
            if rates.inward and rates.outward:
                rates = two_rates(counts, found.rate)
            else:
                rates = one_rate(counts, inward=bool(rates.inward))
            found = msgspec.structs.replace(found, rate=max(rates.inward, rates.outward))
        return msgspec.structs.replace(suspect, fit=found, rates=rates)

    def may_recur(self) -> bool:
        """Return whether what loses most may do so in bursts that come and go, by all trains of the node that most of
        the lost ones came from or went to."""
        ages, beliefs = self._trials.ages, self._trials.beliefs
        times: dict[str, list[float]] = {}
        for cell in (beliefs[index].cell for index in self._trials.sick):
            if cell.packets > 1:
                lately = [at for at in cell.bad_at if at > self._now - ages.long]
                for place in _pair(cell):
                    times.setdefault(place, []).extend(lately)
        most = max(times, key=lambda place: (len(times[place]), place), default="")
        if not may_recur(sorted(times.get(most, ()))):
            return False
        trains = [belief for belief in beliefs if belief.cell.packets > 1 and most in _pair(belief.cell)]
        return _in_bursts(trains, ages.window)

    def share_in_bursts(self, suspect: Suspect) -> float:
        """Return for which share of the time it loses packets in bursts that come and go, 0 where it does not, by the
        trains of the long window that nothing explains yet."""
        ages = self._trials.ages
        members = [self._trials.beliefs[index] for index in suspect.indexes]
        trains = [belief for belief in members if belief.cell.packets > 1]
        if not _in_bursts(trains, suspect.fit.bins):
            return 0.0
        lost = [
            LostTrain(at, worth, _pair(belief.cell))
            for belief in trains
            if belief.sick
            for at, worth in self._worth(belief, self._now - ages.long)
            if worth >= _OWN
        ]
        rate = sum(sum(belief.total[: ages.window]) for belief in trains) / (ages.long - SETTLE)
        pairs = len({_pair(belief.cell) for belief in trains})
        return share_in_bursts(sorted(lost), rate, pairs=pairs, until=self._now - SETTLE)

    def _worth(self, belief: Belief, began: float) -> Iterator[tuple[float, float]]:
        """The bad trials of a cell since then: when each was, and what there is to explain of it (nats)."""
        for at in belief.cell.bad_at:
            age_bin = min(bisect_right(self._trials.ages.edges, self._now - at), len(belief.total) - 1)
            if at > began and not belief.forgot(age_bin):
                yield at, -log(belief.expectation.odds[age_bin].bad)

    def _rivals(self, key: SuspectKey, gain: float, ways: list[Rival]) -> list[Rival]:
        """The next best explanations of most of the same trials."""
        part, incidence, gains = PARTS[key[0]], self._trials.incidence, self._gains
        mine = set(incidence.members(key))
        kin = relatives(key)
        net = gain - gains.penalty(key)
        rivals = list(ways)
        for other in {other for index in mine for other in incidence.keys(index)}:
            row = PARTS[other[0]]
            if other in kin or (row.name, other[1]) == (part.name, key[1]):
                continue
            if gains.most(other) <= _FAR * net:
                continue
            found = gains.fit(other).gain
            lead, more = net - found + gains.penalty(other), found - gain
            theirs = set(gains.seen(other))
            if lead < net and 2 * len(theirs & mine) >= min(len(theirs), len(mine)):
                alike = theirs == mine or abs(more) < _ALIKE * gain
                rivals.append(Rival(row.name, other[1], lead, alike, more, theirs < mine))
        return sorted(rivals, key=lambda rival: (rival.lead, rival.part, rival.subject))[:MOST_RIVALS]


def _pair(cell: Cell) -> frozenset[str]:
    return frozenset((cell.route.source.place, cell.route.target.place))


def _in_bursts(beliefs: Sequence[Belief], newest: int) -> bool:
    """Return whether of the trains in so many of the newest bins fewer were bad than had each packet been lost alone,
    and something came through some of these: gaps between bad trains are pauses only then. Where all packets are lost
    alone such gaps come by chance, and where nothing gets through because few trains are known."""
    total, bad, dead = (
        sum(sum(count[:newest]) for count in counts)
        for counts in (
            [each.total for each in beliefs],
            [each.bad for each in beliefs],
            [each.dead for each in beliefs],
        )
    )
    sent, lost = sum(sum(each.sent[:newest]) for each in beliefs), sum(sum(each.lost[:newest]) for each in beliefs)
    if not bad or not sent:
        return False
    alone: float = total * (1 - (1 - lost / sent) ** (sent / total))
    return dead < _ALL_DEAD * bad and bad < _ALONE * alone
