"""Finds which pairs of source and target may cross a part, by the words of its subject."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from kubesonar.core.diagnosis.joining.past_loss import Pair
from kubesonar.core.diagnosis.joining.sieve import Sieve
from kubesonar.core.diagnosis.parts.shares import MOST_SERVERS
from kubesonar.core.diagnosis.parts.traversal import End
from kubesonar.core.diagnosis.population import Population
from kubesonar.model import Path

_DNS_WORDS = frozenset({"dns", "dns-service", "upstream"})
"""Words of subjects that all questions to DNS servers, and look-ups of names, may be about."""


class PairIndex:
    """Finds which pairs may cross a part, by the words of its subject."""

    def __init__(self, who: Population, sieve: Sieve, behind: Mapping[Path, tuple[End, ...]]) -> None:
        self._sieve = sieve
        self._who = who
        self._complete: set[str] = set()
        self._zones = {member.zone for member in who.members.values()} - {""}
        self._at: dict[str, set[str]] = {}
        for name, member in who.members.items():
            self._at.setdefault(member.node, set()).add(name)
        self._behind = behind

    def near(self, words: Collection[str]) -> list[Pair]:
        """Return the pairs, not taken yet, that may cross a part whose subject consists of these words."""
        if self._complete.intersection(words) or "*" in self._complete:
            return []
        narrow = [word for word in words if word not in self._zones and word not in _DNS_WORDS]
        if len(narrow) == 2:
            return list(self._between(*narrow))
        if narrow:
            self._complete.add(narrow[0])
            return list(self._of(narrow[0]))
        if _DNS_WORDS.issuperset(words):
            self._complete.update(_DNS_WORDS)
            return [(source, target) for target in self._plain() for source in self._sieve.askers[target]]
        self._complete.add("*")
        return list(self._sieve.pairs())

    def _names(self, word: str) -> set[str]:
        """The members and plain targets of that name, or on the node of that name."""
        return {word, *self._at.get(word, ()), *(name for name, node in self._sieve.nodes.items() if node == word)}

    def _of(self, word: str) -> Iterator[Pair]:
        names = self._names(word)
        for name in names:
            yield from ((name, target) for target in [*self._sieve.edges.get(name, ())])
            yield from ((source, name) for source in self._sieve.askers.get(name, ()))
        for service in self._services(names):
            yield from ((source, service) for source in self._sieve.askers.get(service, ()))

    def _between(self, one: str, other: str) -> Iterator[Pair]:
        ends = self._names(one), self._names(other)
        for sources, targets in (ends, ends[::-1]):
            there = [*targets, *self._services(targets)]
            for source in sources:
                asked = self._sieve.edges.get(source, {})
                yield from ((source, target) for target in there if target in asked)

    def _services(self, names: Collection[str]) -> list[str]:
        """The targets whose requests may be answered, or whose names looked up, by servers of these names or nodes."""
        if not any(
            end.name in names or end.node in names
            for ends in self._behind.values()
            if len(ends) <= MOST_SERVERS
            for end in ends
        ):
            return []
        return self._plain()

    def _plain(self) -> list[str]:
        return [name for name in self._sieve.askers if name not in self._who.members]
