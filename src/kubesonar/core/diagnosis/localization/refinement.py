"""Two narrower parts instead of a wide one: both ways between two nodes are not one of these nodes."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from kubesonar.core.diagnosis.inference.likelihood import Fit
from kubesonar.core.diagnosis.inference.suspects import Rival, Suspect, SuspectKey, relatives
from kubesonar.core.diagnosis.localization.part_gains import PartGains
from kubesonar.core.diagnosis.localization.suspect_maker import MOST_RIVALS, SuspectMaker
from kubesonar.core.diagnosis.localization.trials import SearchedTrials
from kubesonar.core.diagnosis.parts.table import PARTS

_FIRSTS = 4


class Refinement:
    """Compares suspects with what narrower parts explain."""

    def __init__(self, trials: SearchedTrials, gains: PartGains, maker: SuspectMaker) -> None:
        self._trials = trials
        self._gains = gains
        self._maker = maker

    def refined(self, suspect: Suspect) -> Suspect:
        """Return the suspect, or the better one of two narrower parts which together explain more than it does beside
        the best of them. A server is not its transports, though each may fail at a rate of its own."""
        if suspect.fit.ended or suspect.part.whole:
            return suspect
        gains = self._gains
        half = (suspect.fit.gain - gains.penalty(suspect.key)) / 2
        firsts = sorted((key for key in self._within(suspect, half) if gains.net(key) > half), key=self._by_net)
        if not firsts:
            return suspect
        narrower = self._within(suspect)
        together, first, second, fit_of_second = max(
            (self._two(first, narrower) for first in firsts[-_FIRSTS:]), key=lambda two: two[:3]
        )
        alone = gains.net(first)
        with gains.supposed(suspect.key, suspect.fit, suspect.rates):
            most = 2 * half + max(0.0, max(map(gains.net, narrower)))
        if alone >= together:
            return suspect
        if together <= most:
            return _rivalled(suspect, most - together, first, second)
        with gains.supposed(second, fit_of_second):
            return _rivalled(self._maker.make(first), together - most, suspect.key)

    def _two(self, first: SuspectKey, others: Collection[SuspectKey]) -> tuple[float, SuspectKey, SuspectKey, Fit]:
        """What a part and the best of the others beside it explain together, these two, and how the second loses."""
        gains = self._gains
        alone = gains.net(first)
        with gains.supposed(first, gains.fit(first)):
            second = max(others, key=self._by_net)
            return alone + gains.net(second), first, second, gains.fit(second)

    def _by_net(self, key: SuspectKey) -> tuple[float, SuspectKey]:
        return self._gains.net(key), key

    def _within(self, suspect: Suspect, least: float = float("-inf")) -> list[SuspectKey]:
        """The parts that are crossed only by trials which cross this one too, and may explain more than `least`."""
        trials, incidence = self._trials, self._trials.incidence
        mine, kin = set(suspect.indexes), relatives(suspect.key)
        keys = {key for index in trials.sick if index in mine for key in incidence.keys(index)}
        return [
            key
            for key in keys
            if (most := self._gains.most(key)) is not None
            and most > least
            and key not in kin
            and not any(trials.rates(key))
            and incidence.within(key, mine)
        ]


def _rivalled(suspect: Suspect, lead: float, *others: SuspectKey) -> Suspect:
    """The suspect, with these as another explanation that falls behind it by so much; rows of one name are one."""
    more = [Rival(PARTS[key[0]].name, key[1], lead) for key in others if PARTS[key[0]].name != suspect.part.name]
    rivals = sorted([*suspect.rivals, *more], key=lambda rival: rival.lead)
    return msgspec.structs.replace(suspect, rivals=rivals[:MOST_RIVALS])
