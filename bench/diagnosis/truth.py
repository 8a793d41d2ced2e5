"""What the right answer is: which parts must be named, and which names mean the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

Named = tuple[str, str]
"""A part and its subject, as a finding has them: ("node", "node-3")."""

Answer = frozenset[Named]
"""A set of parts that names one fault completely."""


class Told(NamedTuple):
    """One thing that a judge says: a part, its subject, which row of that part, how severe, and the sentence."""

    part: str
    subject: str
    variant: str = ""
    severity: str = ""
    sentence: str = ""

    @property
    def named(self) -> Named:
        """What is compared."""
        return self.part, self.subject


class Truth(NamedTuple):
    """The right answers for one fault: any of `answers` is right, and `besides` may be named in addition, because it
    does not work either and no probe shows why."""

    answers: tuple[Answer, ...]
    besides: Answer = frozenset()

    @property
    def allowed(self) -> Answer:
        """All that may be named while the fault is there."""
        return self.besides.union(*self.answers)


def answer(*named: Named) -> Answer:
    """An answer that names these."""
    return frozenset(named)


def right(told: Iterable[Named], truths: Sequence[Truth]) -> bool:
    """Whether exactly these faults are named: an answer of each, and nothing but what may be said besides."""
    said = frozenset(told)
    besides = frozenset[Named]().union(*(truth.besides for truth in truths))
    return any(needed <= said <= needed | besides for needed in needed_of(truths))


def needed_of(truths: Sequence[Truth]) -> Iterator[Answer]:
    """Return all that is right of these faults together: an answer of each."""
    return (frozenset[Named]().union(*choice) for choice in product(*(truth.answers for truth in truths)))


def wrong(told: Iterable[Named], truths: Sequence[Truth]) -> Answer:
    """What is named of these that none of the faults allows."""
    return frozenset(told) - frozenset[Named]().union(*(truth.allowed for truth in truths))
