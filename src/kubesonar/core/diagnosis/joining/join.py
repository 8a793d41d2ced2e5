"""Joins what both ends counted into the evidence of all members: cells of trials that cross the same parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from kubesonar.core.diagnosis.evidence import SETTLE, Ages, Evidence
from kubesonar.core.diagnosis.joining.cell_maker import CellMaker
from kubesonar.core.diagnosis.joining.sieve import Sieve
from kubesonar.core.diagnosis.joining.sifted_source import SiftedSources
from kubesonar.core.diagnosis.population import Population, standing
from kubesonar.model import Snapshot


class Basis(msgspec.Struct, frozen=True):
    """The basis from which a verdict and a map are made `at` that time (Unix seconds), gathered once for both: how the
    members stand, the evidence that their snapshots give together, and who could not be read and why."""

    at: float
    who: Population
    evidence: Evidence
    unread: Mapping[str, str]


def basis(
    snapshots: Sequence[Snapshot],
    unread: Mapping[str, str],
    now: float,
    before: SiftedSources | None = None,
    *,
    over_network: bool = False,
) -> Basis:
    """Return the basis of the members that could be read just now, at `now` (Unix seconds); `unread` says of the
    others why not. Who looks again and again hands in what the sources told `before`. Members that were read
    `over_network` show by that that something gets in and out of their nodes; by Unix sockets and files it shows
    nothing."""
    who = standing(snapshots, unread, now)
    return Basis(now, who, collect(who, before, over_network=over_network), unread)


def collect(who: Population, before: SiftedSources | None = None, *, over_network: bool = False) -> Evidence:
    """Return the evidence of all members that are expected and read, about members that are expected and plain
    targets."""
    edges = [edge for snapshot in who.read.values() for edge in snapshot.edges[:1]]
    ages = Ages(
        min(max((edge.short.span for edge in edges), default=10.0), 600.0),
        min(max((edge.long.span for edge in edges), default=60.0), 3600.0),
    )
    sieve = Sieve(who, ages, before or SiftedSources())
    began = sieve.most_began()
    if began is not None:
        ages.split_at(who.now - began)
    maker = CellMaker(who, ages, sieve, over_network=over_network)
    maker.make(sieve.suspicious())
    maker.unread_sources()
    previous = SETTLE
    for index, edge in enumerate(ages.edges[: ages.recent]):
        maker.sent[index] += round(sieve.quiet.sent * max(0.0, min(edge, ages.short) - previous) / ages.short)
        previous = max(SETTLE, edge)
    return Evidence(
        ages,
        maker.made,
        frozenset(maker.heard),
        frozenset(maker.clock.mismatches),
        maker.speeds,
        maker.sizes,
        maker.sent,
        maker.lost,
        maker.lookups,
        maker,
        maker.clock.misdelivered,
        maker.bad_since,
        maker.refusals,
        tuple(sieve.quiet.groups(sieve.recorded)),
        sieve.paths,
        sieve.old,
    )
