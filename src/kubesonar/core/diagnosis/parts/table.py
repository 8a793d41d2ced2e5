"""The parts of the network that can be sick: one table, read by diagnosis, by the lab's faults and by the docs.

A row says which subjects of its kind ("node-3", "node-1>node-2") a trial crosses, how improbable a fault of that part
is beforehand, and the sentences that tell a person. Adding a part is adding a row.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import msgspec

from kubesonar.core.diagnosis.parts.dns_parts import DNS_PARTS
from kubesonar.core.diagnosis.parts.link_parts import LINK_PARTS
from kubesonar.core.diagnosis.parts.mtu_parts import MTU_PARTS
from kubesonar.core.diagnosis.parts.node_parts import NODE_PARTS
from kubesonar.core.diagnosis.parts.pair_parts import PAIR_PARTS
from kubesonar.core.diagnosis.parts.part import Part
from kubesonar.core.diagnosis.parts.shares import MOST_SERVERS
from kubesonar.core.diagnosis.parts.slow_parts import SLOW_PARTS
from kubesonar.core.diagnosis.parts.subjects import Subjects
from kubesonar.core.diagnosis.parts.target_parts import TARGET_PARTS
from kubesonar.core.diagnosis.parts.traversal import Traversal

PARTS: tuple[Part, ...] = (
    *LINK_PARTS,
    *PAIR_PARTS,
    *MTU_PARTS,
    *NODE_PARTS,
    *DNS_PARTS,
    *TARGET_PARTS,
    *SLOW_PARTS,
)

NAMES: tuple[str, ...] = tuple(dict.fromkeys(part.name for part in PARTS))
"""The names of all parts, as findings, the lab's faults and metrics use them."""


def part(name: str, variant: str = "") -> Part:
    """The row of that name (KeyError where there is none)."""
    return _ROWS[name, variant]


_BOTH_WAYS = {way: row.name for row in PARTS for way in row.ways or ()}


def both_ways_of(name: str) -> str:
    """Return the name of the part of which that one is the way in or the way out, or the name itself where it is no
    way."""
    return _BOTH_WAYS.get(name, name)


_MOST_ROUTES = 16_384
"""Routes of which it is kept what they cross, about 2 KiB each: from look to look they are the same. Fewer, and all are
worked out again where more are looked at, as with a sick node of some thousand; more, and memory is spent on routes
that nobody asks about again."""

_ROWS = {(row.name, row.variant): row for row in PARTS}


def crossed(route: Traversal) -> tuple[tuple[int, str], ...]:
    """All that trials on this route cross, as (index of the row in `PARTS`, subject). Of a Service with more than
    `MOST_SERVERS` servers those are left out: each is crossed by so few trials that they tell nothing of it."""
    if len(route.target.behind) > MOST_SERVERS:
        route = msgspec.structs.replace(route, target=msgspec.structs.replace(route.target, behind=()))
    return _crossed(route)


@lru_cache(maxsize=_MOST_ROUTES)
def _crossed(route: Traversal) -> tuple[tuple[int, str], ...]:
    shape = route.shape
    rows = _BY_SHAPE.get(shape)
    if rows is None:
        rows = _BY_SHAPE[shape] = [(index, row.subjects) for index, row in enumerate(PARTS) if row.when(route)]
    return tuple((index, subject) for index, subjects in rows for subject in subjects(route))


_BY_SHAPE: dict[tuple[object, ...], list[tuple[int, Callable[[Traversal], Subjects]]]] = {}
"""Rows by shape: a cache, as large as there are shapes."""
