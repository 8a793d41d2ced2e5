"""The smallest set of parts that explains the failures: greedy by likelihood (as Flock, Harsh et al., CoNEXT 2023).

Again and again the part is taken that explains most beyond what is explained already, less the penalty of its prior,
until none explains enough. A narrow part costs more than a wide one, so that one sick node is not told as eight sick
pairs; but a wide part has to answer for all the trials that went well through it.
"""

from __future__ import annotations

import msgspec

from kubesonar.core.evidence import Ages, Cell
from kubesonar.core.likelihood import Belief, Fit, fit, learn_background
from kubesonar.core.paths import PARTS, Part, crossed

MARGIN = 10.0
"""Gain after the penalty (nats) below which a part is not named."""

SECONDS = 3
"""In how many distinct seconds a part must have been bad, so that one burst is no fault."""

SECONDS_GREY = 5
"""The same where only the long window shows it."""

MOST = 64
"""Most parts that one search chooses."""

Key = tuple[int, str]


class Suspect(msgspec.Struct, frozen=True):
    """A part that explains the failures of `cells`; `alike` are parts that the same trials cross, so that the present
    probes cannot tell them apart. `bad_at` is when trials through it were bad, in order."""

    part: Part
    subject: str
    fit: Fit
    cells: list[Cell]
    bad_at: list[float]
    alike: list[str]

    @property
    def net(self) -> float:
        """Gain after the penalty, in nats."""
        return self.fit.gain - self.part.penalty


class Search:
    """One search over the evidence."""

    def __init__(self, cells: list[Cell], ages: Ages, now: float) -> None:
        self._ages = ages
        self._now = now
        background = learn_background(cells)
        self._beliefs = [Belief(cell, background) for cell in cells]
        self._routes = [crossed(cell.route) for cell in cells]
        self._members: dict[Key, list[int]] = {}
        for index, keys in enumerate(self._routes):
            for key in keys:
                self._members.setdefault(key, []).append(index)
        self._fits: dict[Key, Fit] = {}
        self._stale: set[Key] = set(self._members)

    def run(self) -> list[Suspect]:
        """The parts that are sick now, the one that explains most first."""
        suspects = []
        for _ in range(MOST):
            key = self._best()
            if key is None:
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

    def _best(self) -> Key | None:
        for key in self._stale:
            self._fits[key] = self._fit(key)
        self._stale = set()
        best, most = None, MARGIN
        for key, found in self._fits.items():
            net = found.gain - PARTS[key[0]].penalty
            if net > most or (net == most and best is not None and key < best):
                best, most = key, net
        return best

    def _fit(self, key: Key) -> Fit:
        beliefs = [self._beliefs[index] for index in self._members[key]]
        if not any(any(belief.bad) for belief in beliefs):
            return _NOTHING
        return fit(beliefs)

    def _take(self, key: Key) -> Suspect | None:
        """Explains by this part what it can; None where it is no present, lasting fault."""
        found, part = self._fits[key], PARTS[key[0]]
        indexes = self._members[key]
        bad_at = sorted(at for index in indexes for at in self._beliefs[index].cell.bad_at)
        began = self._now - self._ages.edges[found.bins - 1]
        grey = found.bins > self._ages.recent
        lasting = len({int(at) for at in bad_at if at > began}) >= (SECONDS_GREY if grey else SECONDS)
        alike = self._alike(key)
        cells = [self._beliefs[index].cell for index in indexes]
        for index in indexes:
            belief = self._beliefs[index]
            self._touch(index)
            if found.ended:
                belief.forget(found.ended, len(belief.total))
            elif lasting:
                belief.explain(found.rate, found.bins)
            else:
                belief.forget(0, found.bins)
        if found.ended or not lasting:
            return None
        return Suspect(part, key[1], found, cells, bad_at, alike)

    def _touch(self, index: int) -> None:
        self._stale.update(self._routes[index])

    def _alike(self, key: Key) -> list[str]:
        """Other subjects or parts that exactly the same trials cross."""
        mine = self._members[key]
        others = {other for index in mine for other in self._routes[index]}
        return sorted(
            f"{PARTS[other[0]].name} {other[1]}"
            for other in others
            if self._members[other] == mine and (PARTS[other[0]].name, other[1]) != (PARTS[key[0]].name, key[1])
        )


_NOTHING = Fit(0.0, 0.0, 0, 0)
