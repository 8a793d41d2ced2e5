"""Several narrow parts instead of a wide one: both ways between two nodes are not one of these nodes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import msgspec

from kubesonar.core.diagnosis.inference.likelihood import Fit
from kubesonar.core.diagnosis.inference.suspects import CLEAR, Rival, Suspect, SuspectKey, relatives
from kubesonar.core.diagnosis.localization.part_gains import PartGains
from kubesonar.core.diagnosis.localization.suspect_maker import MOST_RIVALS, SuspectMaker
from kubesonar.core.diagnosis.localization.trials import SearchedTrials
from kubesonar.core.diagnosis.parts.table import PARTS

MOST_TOGETHER = 4
"""Most parts that are tried together instead of one. Fewer, and three faults at once are told as what they have in
common; more, and time is spent on it for each lossy node of which each way loses a little less by chance."""

_ALL_LOST = 0.99
"""Loss from which on nothing gets through: of a part that lets something through, some ways may be cut and others be
well. Lower, and a node of which one way is cut, and another in the pod network only, is taken for cut; higher than the
highest rate that is tried, and nothing ever is."""


UNREAD = 6.0
"""Nats by which a node that could not be read, while several others could, speaks for its own link instead of what all
nodes share. Lower, and both ways between two nodes are told as all, beside a node of which nothing comes out; higher,
and a program that hangs makes of all nodes some."""


class _Together(NamedTuple):
    """Parts, each with how it loses when those before it are expected, and what they explain together (nats)."""

    net: float
    parts: list[tuple[SuspectKey, Fit]]

    @property
    def keys(self) -> list[SuspectKey]:
        """The parts, in the order in which they were chosen."""
        return [key for key, _ in self.parts]


class Refinement:
    """Compares suspects with what narrower parts explain."""

    def __init__(self, trials: SearchedTrials, gains: PartGains, maker: SuspectMaker) -> None:
        self._trials = trials
        self._gains = gains
        self._maker = maker

    def refined(self, suspect: Suspect) -> Suspect:
        """Return the suspect, or the best of some parts that lose more than it does, or let nothing through, and
        explain more together than it does beside what else is sick; of such a part the best of others, where the same
        holds of it. A server is not its transports, though each may fail at a rate of its own."""
        better, net = self._narrower(suspect)
        if better.key in relatives(suspect.key):
            return better
        best, _ = self._narrower(self._maker.make(better.key), net)
        return better if best.key in relatives(better.key) else best

    def _narrower(self, suspect: Suspect, known: float = 0.0) -> tuple[Suspect, float]:
        """Return the suspect, or what is told instead of it, and what that explains together with what else is sick
        (nats); of the suspect so much is `known` already."""
        if suspect.fit.ended or suspect.part.whole or (suspect.fit.rate >= _ALL_LOST and not self._doubted(suspect)):
            return suspect, known
        gains, near = self._gains, self._near(suspect)
        alone = suspect.fit.gain - gains.penalty(suspect.key)
        least = alone - self._unread_beside(suspect, near)
        rate = suspect.fit.rate
        starts = {(0.0, 0.0), (_mean_share(suspect), 0.0), (rate, 0.0), (rate, rate)} if rate < _ALL_LOST else set()
        kin = {*relatives(suspect.key)} - {suspect.key}
        tried = [self._together(near - {suspect.key}, MOST_TOGETHER, least, *over, kin) for over in sorted(starts)]
        inside = {key for key in gains.within(near, suspect.indexes) if not PARTS[key[0]].common}
        within = self._together(inside - {*relatives(suspect.key)}, MOST_TOGETHER, least)
        tried.append(within)
        if len(within.parts) > 1 and gains.told_before(within.keys) and not gains.told_before([suspect.key]):
            # The newest trials do not tell a wider part from a narrow one that is known and others that began later.
            more = sum(found.gain for _, found in within.parts) - suspect.fit.gain + CLEAR
            suspect = _rivalled(suspect, alone - within.net, *within.keys, more=more)
        cut = {key for key in near if not PARTS[key[0]].common} - {suspect.key} - self._trials.read_through()
        tried.append(self._together(cut, MOST_TOGETHER, least, _ALL_LOST, _ALL_LOST, kin))
        others = max(tried, key=lambda together: together.net)
        alone -= self._unread_beside(suspect, others.keys)
        if others.net <= alone or len(others.parts) < 2:
            return suspect, known
        with gains.supposed(suspect.key, suspect.fit, suspect.rates):
            beside = self._together(near, MOST_TOGETHER - 1, 0.0)
        # What greed takes first is often what several faults have in common, which explains nothing once each is found.
        kept = [key for key in beside.keys if key != suspect.key]
        without = [
            self._together(near - {suspect.key}, MOST_TOGETHER, 0.0, kin=kin, kept=keys)
            for keys in ([kept, within.keys] if within.net > alone else [kept])
        ]
        others = max(others, *without, key=lambda together: together.net)
        told = max(alone + beside.net, known)
        lead = others.net - told
        if lead <= 0:
            return _rivalled(suspect, -lead, *others.keys), told
        best, _ = max(others.parts, key=lambda part: part[1].gain)
        with ExitStack() as supposed:
            for key, found in others.parts:
                if key != best:
                    supposed.enter_context(gains.supposed(key, found))
            made = self._maker.make(best, as_it_is=best in relatives(suspect.key))
            return _rivalled(made, lead, suspect.key), others.net

    def _doubted(self, suspect: Suspect) -> bool:
        """Return whether it lets nothing through, and yet does not explain who could be read, or who could not."""
        if suspect.part.common:
            return bool(self._trials.unread_nodes())
        return suspect.key in self._trials.read_through()

    def _unread_beside(self, suspect: Suspect, others: Collection[SuspectKey]) -> float:
        """Return what speaks for the others (nats) because a node could not be read which one of them, or of what was
        taken already, is: what all share would hide no node more than others."""
        if not suspect.part.common or suspect.fit.rate < _ALL_LOST:
            return 0.0
        hidden = ({subject for _, subject in others} | self._gains.taken) & self._trials.unread_nodes()
        return UNREAD * len(hidden)

    def _near(self, suspect: Suspect) -> set[SuspectKey]:
        """The parts that any of its bad trials crosses."""
        mine, incidence = set(suspect.indexes), self._trials.incidence
        return {key for index in self._trials.sick if index in mine for key in incidence.keys(index)}

    def _together(
        self,
        among: Collection[SuspectKey],
        most: int,
        least: float,
        first: float = 0.0,
        others: float = 0.0,
        kin: Collection[SuspectKey] = (),
        kept: Sequence[SuspectKey] = (),
    ) -> _Together:
        """Return so many parts at most: those that are `kept`, and some that are chosen greedily beside them, as long
        as they may explain more than `least` together: a first one that loses a greater share than `first`, then some
        that lose more than `others`. What is lost on both ways is put down to the first, so that it seems to lose more
        than it does and the second one less. Of `kin` one at most: two ways of a part are the part, at two rates."""
        gains, net, share = self._gains, 0.0, first
        parts: list[tuple[SuspectKey, Fit]] = []

        def accepts(key: SuspectKey, found: Fit) -> bool:
            again = key in kin and any(chosen in kin for chosen, _ in parts)
            return found.rate > share and not again

        with ExitStack() as supposed:
            while len(parts) < most:
                if len(parts) < len(kept):
                    key: SuspectKey | None = kept[len(parts)]
                else:
                    key = gains.best(max(0.0, (least - net) / (most - len(parts))), among, accepts)
                if key is None:
                    break
                found = gains.fit(key)
                net += gains.net(key)
                parts.append((key, found))
                supposed.enter_context(gains.supposed(key, found))
                share = others
        return _Together(net, parts)


def _mean_share(suspect: Suspect) -> float:
    """The mean loss on its ways, where two are sick: the other parts may be one of its ways and more."""
    rates = suspect.rates
    both = rates is not None and rates.inward and rates.outward
    return (rates.inward + rates.outward) / 2 if rates is not None and both else suspect.fit.rate


def _rivalled(suspect: Suspect, lead: float, *others: SuspectKey, more: float = 0.0) -> Suspect:
    """The suspect, with these as another explanation that falls behind it by so much, and would explain so much more
    were it as probable; rows of one name are one."""
    named = [(PARTS[key[0]].name, key[1]) for key in others]
    if any(rival.same and (rival.part, rival.subject) in named for rival in suspect.rivals):
        return suspect  # they are what it is, by another name
    known = [Rival(part, subject, lead, more=more) for part, subject in named if part != suspect.part.name]
    rivals = sorted([*suspect.rivals, *known], key=lambda rival: rival.lead)
    return msgspec.structs.replace(suspect, rivals=rivals[:MOST_RIVALS])
