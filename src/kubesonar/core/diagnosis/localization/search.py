"""The smallest set of parts that explains the failures: greedy by likelihood (as Flock, Harsh et al., CoNEXT 2023).

Again and again the part is taken that explains most beyond what is explained already, less the penalty of its prior,
until none explains enough. A narrow part costs more than a wide one, so that one sick node is not told as eight sick
pairs; but a wide part has to answer for all the trials that went well through it.

So that the traces of what is over are not taken for what lasts, a fault that has ended competes with those that last,
and what is loud now is told by the newest trials alone, before older ones are asked for what is faint.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from kubesonar.core.diagnosis.evidence import Cell, Evidence
from kubesonar.core.diagnosis.inference.suspects import Suspect, relatives
from kubesonar.core.diagnosis.localization.acceptance import MIN_GAIN, is_burst, is_told, without_ways_of_both
from kubesonar.core.diagnosis.localization.part_gains import PartGains
from kubesonar.core.diagnosis.localization.refinement import Refinement
from kubesonar.core.diagnosis.localization.suspect_maker import SuspectMaker
from kubesonar.core.diagnosis.localization.trials import SearchedTrials
from kubesonar.core.diagnosis.parts.part import Part
from kubesonar.core.diagnosis.parts.table import PARTS

LOUD = 3 * MIN_GAIN
"""Gain after the penalty (nats) in the newest bins alone that needs no longer memory."""

YOUNG_BINS = 5
"""So many of the newest bins are searched first."""

MAX_SUSPECTS = 64
"""Most parts that one search chooses."""


class Search:
    """One search over the evidence, as far as `counts` says of its cells that they do. `known` are the parts and
    subjects that are known to be sick from before, which makes them likelier than others."""

    def __init__(
        self,
        evidence: Evidence,
        now: float,
        counts: Callable[[Cell], bool],
        known: Collection[tuple[str, str]] = (),
    ) -> None:
        self._ages = evidence.ages
        self._now = now
        self._known = known
        self._trials = SearchedTrials(evidence, counts)
        self._gains = PartGains(self._trials, known)
        self._maker = SuspectMaker(self._trials, self._gains, now)
        self._refinement = Refinement(self._trials, self._gains, self._maker)
        self.over: list[Suspect] = []
        """The parts that `run` found to have been sick, and to be well again."""

    def run(self) -> list[Suspect]:
        """The parts that are sick now, the one that explains most first."""
        everything = len(self._ages.edges)
        passes = (
            (YOUNG_BINS, LOUD),
            (self._ages.recent, LOUD),
            (self._ages.window, MIN_GAIN),
            (everything, MIN_GAIN),
        )
        recurring = self._recurring()
        found = [suspect for newest, margin in passes for suspect in self._pass(newest, margin)]
        return without_ways_of_both(
            recurring
            + [
                suspect
                for suspect in found
                if suspect.named in self._known or not is_burst(suspect, self.over, self._ages, self._now)
            ]
        )

    def _recurring(self) -> list[Suspect]:
        """Return what loses packets in bursts again and again, though it may be silent just now, as long as it is what
        explains most; and nothing else explains the newest trials."""
        suspects: list[Suspect] = []
        if not self._maker.may_recur():
            return suspects
        while len(suspects) < MAX_SUSPECTS:
            self._gains.look_at(YOUNG_BINS)
            newest = self._gains.best(MIN_GAIN)
            lossy = self._gains.lossy(newest) if newest is not None else set()
            self._gains.look_at(self._ages.window)
            key = self._gains.best(MIN_GAIN)
            if key is None or not _may_recur(PARTS[key[0]]):
                break
            suspect = self._maker.make(key, lasting=True)
            in_bursts = self._maker.share_in_bursts(suspect)
            if suspect.net < MIN_GAIN or not lossy <= {*suspect.indexes} or not in_bursts:
                break
            if self._refinement.refined(suspect).key not in relatives(key):
                break
            self._told(suspect, in_bursts)
            suspects.append(suspect)
        return suspects

    def _pass(self, newest: int, margin: float) -> list[Suspect]:
        """What so many of the newest bins show."""
        self._gains.look_at(newest)
        suspects = []
        for _ in range(MAX_SUSPECTS):
            key = self._gains.best(margin)
            if key is None:
                break
            suspect = self._refinement.refined(self._maker.make(key))
            told = is_told(suspect, self._ages, newest, self._now, known=suspect.named in self._known)
            if not told and not suspect.fit.ended and newest < len(self._ages.edges):
                break  # it takes older trials to tell what this is
            if told:
                self._told(suspect)
                suspects.append(suspect)
                continue
            self._explain(suspect, told=False)
            if suspect.fit.ended:
                self.over.append(suspect)
            else:
                self._gains.take(suspect.key, suspect.fit.rate)
            self._gains.rank()
        return suspects

    def _told(self, suspect: Suspect, in_bursts: float = 0.0) -> None:
        """Expects what this part does, for that share of the time `in_bursts`, and leaves out what says nothing of its
        own because it is sick."""
        self._explain(suspect, told=True)
        if in_bursts:
            self._trials.suppose_bursts(suspect.key, in_bursts, suspect.fit.bins)
        self._gains.take(suspect.key, suspect.fit.rate)
        if suspect.part.hides is not None:
            self._hide(suspect.part, suspect.subject)
        self._gains.rank()

    def _hide(self, part: Part, subject: str) -> None:
        """Leaves out the trials that say nothing of their own because this part is sick."""
        for index, belief in enumerate(self._trials.beliefs):
            if part.hidden(belief.cell.route, subject):
                self._gains.forget(index, 0, len(belief.total))

    def _explain(self, suspect: Suspect, *, told: bool) -> None:
        """Expects what this part does from now on. What is told explains trials between members for as long as it took
        to tell it, and older ones are forgotten; but those to plain targets, which are few, since it began: else what
        they show besides would be forgotten as soon as it is seen."""
        ended = suspect.fit.ended
        lasting = self._maker.since_onset(suspect) if told and not ended else suspect
        for index, load in self._trials.incidence.crossings(suspect.key):
            belief = self._trials.beliefs[index]
            if ended:
                self._gains.forget(index, ended, len(belief.total))
                continue
            known = suspect if belief.cell.route.between_members else lasting
            self._trials.expect(suspect.key, known.fit, known.rates, index, load, known.fit.bins)
            self._gains.touch(index)
            if told:
                self._gains.forget(index, known.fit.bins, len(belief.total))
        if told or ended:
            self._expect_of_services(suspect)

    def _expect_of_services(self, suspect: Suspect) -> None:
        """Expects failures of Services with so many servers that each is crossed by few trials only, or whose servers
        are agents that do not answer."""
        explained, part = set(suspect.indexes), suspect.part
        for index in self._trials.incidence.services:
            route = self._trials.beliefs[index].cell.route
            fails = part.when(route) or (part.serves is not None and part.serves(route))
            share = part.share if fails else None
            if index not in explained and share is not None and any(share(route, suspect.subject)):
                load, bins = self._trials.incidence.load(suspect.key, index), len(self._ages.edges)
                self._trials.expect(suspect.key, suspect.fit, suspect.rates, index, load, bins)
                self._gains.touch(index)


def _may_recur(part: Part) -> bool:
    """Return whether loss of that part may come in bursts: of packets, not of whole requests, nor of what depends on
    size or speed, nor of what all share."""
    return not (part.whole or part.common or part.age or part.least) and part.seconds > 1
