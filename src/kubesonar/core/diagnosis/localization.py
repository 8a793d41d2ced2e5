"""The smallest set of parts that explains the failures: greedy by likelihood (as Flock, Harsh et al., CoNEXT 2023).

Again and again the part is taken that explains most beyond what is explained already, less the penalty of its prior,
until none explains enough. A narrow part costs more than a wide one, so that one sick node is not told as eight sick
pairs; but a wide part has to answer for all the trials that went well through it.

So that the traces of what is over are not taken for what lasts, a fault that has ended competes with those that last,
and what is loud now is told by the newest trials alone, before older ones are asked for what is faint.
"""

from __future__ import annotations

import msgspec

from kubesonar.core.diagnosis.components import PARTS, Part, crossed
from kubesonar.core.diagnosis.evidence import SETTLE, Ages, Cell
from kubesonar.core.diagnosis.likelihood import Belief, Fit, fit, learn_background

MIN_GAIN = 16.0
"""Gain after the penalty (nats) below which a part is not named. In 300 simulated healthy windows with bursts the most
was 14; a loss of 2 % on one pair has 70 and more within 30 s at 16 packets a second."""

LOUD = 3 * MIN_GAIN
"""Gain after the penalty (nats) in the newest bins alone that needs no longer memory."""

SECONDS = 3
"""In how many distinct seconds a part must have been bad, so that one burst is no fault."""

SECONDS_GREY = 5
"""The same where only the long window shows it."""

SLOT = 0.5
"""Trials that are bad within the same so many seconds count as one event, because losses come in bursts that many
trials share."""

SPREAD = 0.35
"""Share of the slots in which independent losses would have fallen that must have been bad; below, it was bursts."""

YOUNG_BINS = 5
"""A fault within so many of the newest bins is told only when it is clear which part it is ..."""

CLEAR = 3.0
"""... by so many nats before the next; a second later there is more to tell by."""

MAX_SUSPECTS = 64
"""Most parts that one search chooses."""

Key = tuple[int, str]


class Suspect(msgspec.Struct, frozen=True):
    """A part that explains the failures of `cells`; `alike` are parts that the same trials cross, so that the present
    probes cannot tell them apart. `bad_at` is when trials through it were bad, in order; `net` the gain, counted by
    events, after the penalty (nats)."""

    part: Part
    subject: str
    fit: Fit
    cells: list[Cell]
    bad_at: list[float]
    alike: list[str]
    net: float


class Search:
    """One search over the evidence."""

    def __init__(self, cells: list[Cell], ages: Ages, now: float) -> None:
        self._ages = ages
        self._now = now
        background = learn_background(cells)
        self._beliefs = [Belief(cell, background[cell.packets]) for cell in cells]
        self._routes = [crossed(cell.route) for cell in cells]
        self._members: dict[Key, list[int]] = {}
        for index, keys in enumerate(self._routes):
            for key in keys:
                self._members.setdefault(key, []).append(index)
        self._fits: dict[Key, Fit] = {}
        self._stale: set[Key] = set()
        self._newest = 0

    def run(self) -> list[Suspect]:
        """The parts that are sick now, the one that explains most first."""
        passes = ((YOUNG_BINS, LOUD), (self._ages.recent, LOUD), (len(self._ages.edges), MIN_GAIN))
        return [suspect for newest, margin in passes for suspect in self._pass(newest, margin)]

    def _pass(self, newest: int, margin: float) -> list[Suspect]:
        """What so many of the newest bins show."""
        self._newest = newest
        self._stale = set(self._members)
        suspects = []
        for _ in range(MAX_SUSPECTS):
            key = self._best(margin)
            if key is None or (self._newest < len(self._ages.edges) and self._doubtful(key)):
                break
            suspect = self._take(key)
            if suspect is not None:
                suspects.append(suspect)
                if suspect.part.hides is not None:
                    self._hide(suspect.part, suspect.subject)
        return suspects

    def _hide(self, part: Part, subject: str) -> None:
        """Leaves out the trials that say nothing of their own because this part is sick."""
        for index, belief in enumerate(self._beliefs):
            if part.hidden(belief.cell.route, subject):
                self._touch(index)
                belief.forget(0, len(belief.total))

    def _best(self, margin: float) -> Key | None:
        for key in self._stale:
            self._fits[key] = self._fit(key)
        self._stale = set()
        best, most = None, margin
        for key in self._fits:
            net = self._fits[key].past - PARTS[key[0]].penalty
            if net > most or (net == most and best is not None and key < best):
                best, most = key, net
        return best

    def _fit(self, key: Key) -> Fit:
        beliefs = [self._beliefs[index] for index in self._members[key]]
        if not any(any(belief.bad) for belief in beliefs):
            return _NOTHING
        return fit(PARTS[key[0]], beliefs, self._newest)

    def _take(self, key: Key) -> Suspect | None:
        """Explains by this part what it can; None where it is no present, lasting and clear fault."""
        found, part = self._fits[key], PARTS[key[0]]
        indexes = self._members[key]
        bad_at = sorted(at for index in indexes for at in self._beliefs[index].cell.bad_at)
        net = self._by_events(found, bad_at) - part.penalty
        told = self._told(key, net, bad_at)
        alike = self._alike(key)
        for index in indexes:
            belief = self._beliefs[index]
            self._touch(index)
            if found.ended:
                belief.forget(found.ended, len(belief.total))
            else:
                belief.explain(part, found.rate, found.bins)
                if told:
                    belief.forget(found.bins, len(belief.total))
        if not told:
            return None
        return Suspect(part, key[1], found, [self._beliefs[index].cell for index in indexes], bad_at, alike, net)

    def _told(self, key: Key, net: float, bad_at: list[float]) -> bool:
        """Whether it is a present, lasting and clear fault."""
        found = self._fits[key]
        told = not found.ended and found.rate >= PARTS[key[0]].least and net >= MIN_GAIN and self._lasts(found, bad_at)
        return told and (found.bins > YOUNG_BINS or self._clear(key))

    def _doubtful(self, key: Key) -> bool:
        """Whether it takes older trials to tell what this is."""
        found = self._fits[key]
        bad_at = sorted(at for index in self._members[key] for at in self._beliefs[index].cell.bad_at)
        net = self._by_events(found, bad_at) - PARTS[key[0]].penalty
        return not found.ended and not self._told(key, net, bad_at)

    def _times(self, found: Fit, bad_at: list[float]) -> list[float]:
        began = self._now - self._ages.edges[found.bins - 1]
        return [at for at in bad_at if at > began]

    def _by_events(self, found: Fit, bad_at: list[float]) -> float:
        """The gain, had all that was bad at the same moment been one event."""
        times = self._times(found, bad_at)
        events = len({int(at / SLOT) for at in times})
        return found.gain * events / max(1, len(times))

    def _lasts(self, found: Fit, bad_at: list[float]) -> bool:
        """Whether it was bad in enough seconds, and spread over time as independent losses would be."""
        times = self._times(found, bad_at)
        seconds = len({int(at) for at in times})
        slots = (self._ages.edges[found.bins - 1] - SETTLE) / SLOT
        spread = slots * (1 - (1 - 1 / max(slots, 1.0)) ** len(times))
        events = len({int(at / SLOT) for at in times})
        enough = seconds >= (SECONDS_GREY if found.bins > self._ages.recent else SECONDS)
        return enough and events >= SPREAD * spread

    def _clear(self, key: Key) -> bool:
        """Whether no other part that most of the same trials cross explains them nearly as well."""
        name, mine, net = PARTS[key[0]].name, set(self._members[key]), self._net(key)
        for other in {other for index in mine for other in self._routes[index]}:
            if self._net(other) > net - CLEAR and (PARTS[other[0]].name, other[1]) != (name, key[1]):
                theirs = set(self._members[other])
                if theirs != mine and 2 * len(theirs & mine) >= min(len(theirs), len(mine)):
                    return False
        return True

    def _net(self, key: Key) -> float:
        return self._fits[key].gain - PARTS[key[0]].penalty

    def _touch(self, index: int) -> None:
        self._stale.update(self._routes[index])

    def _alike(self, key: Key) -> list[str]:
        """Other subjects or parts that exactly the same trials cross."""
        mine = self._members[key]
        others = {other for index in mine for other in self._routes[index]}
        alike = {(PARTS[other[0]].name, other[1]) for other in others if self._members[other] == mine}
        return sorted(f"{name} {subject}" for name, subject in alike - {(PARTS[key[0]].name, key[1])})


_NOTHING = Fit(0.0, 0.0, 0, 0, 0.0)
