"""Finds which trials cross which parts: looked up only for parts that may be sick, because in a big mesh most are
not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.inference.suspects import SuspectKey
from kubesonar.core.diagnosis.inference.trial_model import Load, is_stream
from kubesonar.core.diagnosis.parts.part import Part
from kubesonar.core.diagnosis.parts.shares import Shares
from kubesonar.core.diagnosis.parts.table import PARTS, crossed
from kubesonar.core.diagnosis.parts.traversal import Traversal, Way
from kubesonar.model import Kind


def load_of(part: Part, cell: Cell, subject: str) -> Load:
    """Return how the trials of that cell cross that subject of that kind of part."""
    packets = 1 if part.whole and is_stream(cell.packets) else cell.packets
    crossings = 2 if part.both and cell.route.way is Way.ROUND else 1
    if part.share is None:
        return Load(packets, crossings)
    return Load.shared(packets, crossings, part.share(cell.route, subject))


class Incidence:
    """The cells of a search, by number, and the parts that they cross. `more` makes those that cross a part whose
    subject consists of such words, and were not made before."""

    def __init__(
        self,
        cells: Iterable[Cell],
        more: Callable[[Collection[str]], Iterable[Cell]],
        *,
        everywhere: bool = True,
    ) -> None:
        """`everywhere`: also those parts that all cells cross."""
        self._more = more
        self._everywhere = everywhere
        self._cells: list[Cell] = []
        self._keys: list[tuple[SuspectKey, ...] | None] = []
        self._crossings: dict[SuspectKey, list[tuple[int, Load]]] = {}
        self._known: dict[SuspectKey, list[int]] = {}
        self._members: dict[SuspectKey, list[int]] = {}
        self._by_word: dict[str, list[int]] = {}
        self._loads: dict[tuple[int, int, bool, int, Shares], Load] = {}
        self.services: list[int] = []
        """The cells of Services, whose servers are crossed in part."""
        self._add(cells)

    def _add(self, cells: Iterable[Cell]) -> None:
        for index, cell in enumerate(cells, len(self._cells)):
            route = cell.route
            self._cells.append(cell)
            self._keys.append(None)
            for word in _words(route):
                self._by_word.setdefault(word, []).append(index)
            if route.target.behind:
                self.services.append(index)

    def keys(self, index: int) -> tuple[SuspectKey, ...]:
        """All parts that this cell crosses."""
        keys = self._keys[index]
        if keys is None:
            keys = crossed(self._cells[index].route)
            if not self._everywhere:
                keys = tuple(key for key in keys if not PARTS[key[0]].common)
            self._keys[index] = keys
            for key in keys:
                self._known.setdefault(key, []).append(index)
        return keys

    def members(self, key: SuspectKey) -> list[int]:
        """All cells that cross this part."""
        members = self._members.get(key)
        if members is None:
            self._add(self._more(_words_of(key)))
            members = self._members[key] = self.known(key)
        return members

    def made(self, key: SuspectKey) -> bool:
        """Return whether all cells that cross this part were made."""
        return key in self._members

    def known(self, key: SuspectKey) -> list[int]:
        """Return those of the cells that cross this part which were made so far."""
        for index in self._near(key):
            if self._keys[index] is None:
                self.keys(index)
        return sorted({*self._known.get(key, ())})

    def crossings(self, key: SuspectKey) -> list[tuple[int, Load]]:
        """All cells that cross this part, and how."""
        found = self._crossings.get(key)
        if found is None:
            found = self._crossings[key] = [(index, self.load(key, index)) for index in self.members(key)]
        return found

    def load(self, key: SuspectKey, index: int) -> Load:
        """Return how the trials of that cell cross that part."""
        cell, part = self._cells[index], PARTS[key[0]]
        route = cell.route
        if route.target.behind:
            return load_of(part, cell, key[1])
        # Many cells cross a part alike, yet not all of one kind: some stay on their node.
        shares = part.share(route, key[1]) if part.share else ()
        alike = key[0], cell.packets, route.way is Way.ROUND, route.family, shares
        found = self._loads.get(alike)
        if found is None:
            found = self._loads[alike] = load_of(part, cell, key[1])
        return found

    def _near(self, key: SuspectKey) -> list[int]:
        """Cells that may cross a part with that subject."""
        words = _words_of(key)
        known = [found for word in words if (found := self._by_word.get(word)) is not None]
        return min(known, key=len) if len(known) == len(words) else list(range(len(self._cells)))


def _words_of(key: SuspectKey) -> list[str]:
    return key[1].partition(" ")[0].split(">")


def _words(route: Traversal) -> set[str]:
    """The words that the subjects of parts which that route crosses consist of."""
    words = {"dns-service", "upstream"} if route.kind is Kind.DNS else set()
    for end in (route.source, route.target, *route.target.behind):
        words |= {end.name, end.node, end.zone}
    words.discard("")
    return words
