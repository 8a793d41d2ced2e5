"""Two simple judges beside the one under test, on the same input."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bench.diagnosis.truth import Told
from kubesonar.core.telemetry.edge_health import edge_health
from kubesonar.model import Check, Edge, Health, Member, Path, Side, Snapshot

_SHARE = 0.5
"""Share of the edges over a subject that must be bad for it to be named."""

_LEAST = 2


class _Judged(NamedTuple):
    source: Member
    target: Member | None
    check: Check
    bad: bool


def _edges(snapshots: Sequence[Snapshot], unread: Mapping[str, str]) -> Iterator[_Judged]:
    members: dict[str, Member] = {}
    for snapshot in snapshots:
        members |= {member.name: member for member in snapshot.roster.members}
    for snapshot in snapshots:
        for edge in snapshot.edges:
            if edge.latest.side is Side.SOURCE and edge.latest.check.path is not Path.LOOPBACK:
                health = _health(edge, members)
                if health is not Health.UNKNOWN:
                    check = edge.latest.check
                    yield _Judged(snapshot.member, members.get(check.target), check, health is Health.BAD)


def _health(edge: Edge, members: Mapping[str, Member]) -> Health:
    return edge_health(edge, members)


_TARGETS = {
    Path.API_DIRECT: "api_server",
    Path.API_DNS: "api_server",
    Path.INGRESS: "ingress",
    Path.EXTERNAL: "external",
    Path.SERVICE: "external",
    Path.DNS_POD: "dns_server",
    Path.DNS_SERVICE: "dns_server",
}


def _subjects(edge: _Judged) -> list[tuple[str, str]]:
    """What an edge says something about, coarsely."""
    if edge.target is None:
        return [(_TARGETS.get(edge.check.path, "external"), edge.check.target), ("node", edge.source.node)]
    found = [("node", edge.source.node), ("node", edge.target.node)]
    found.append(("pair", f"{edge.source.node}>{edge.target.node}"))
    if edge.source.zone != edge.target.zone:
        found.append(("zone_pair", f"{edge.source.zone}>{edge.target.zone}"))
    return found


class Threshold:
    """Names every node, zone pair and target over which at least half of the edges are bad, as alert rules on a matrix
    do."""

    def step(self, now: float, snapshots: Sequence[Snapshot], unread: Mapping[str, str]) -> list[Told]:
        """See `judges.Judge`."""
        counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        for edge in _edges(snapshots, unread):
            for subject in _subjects(edge):
                if subject[0] != "pair":
                    counts[subject][0] += edge.bad
                    counts[subject][1] += 1
        return [
            Told(part, subject)
            for (part, subject), (bad, total) in sorted(counts.items())
            if bad >= _LEAST and bad >= _SHARE * total
        ]


class Votes:
    """Bad edges vote for all that they cross, each vote divided by how many (007, NSDI 2018), and the sum by the number
    of edges that cross it; the highest is named and its edges are taken away, until none has half of its edges bad."""

    def step(self, now: float, snapshots: Sequence[Snapshot], unread: Mapping[str, str]) -> list[Told]:
        """See `judges.Judge`."""
        left = list(_edges(snapshots, unread))
        told: list[Told] = []
        while True:
            votes: dict[tuple[str, str], float] = defaultdict(float)
            counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
            for edge in left:
                subjects = _subjects(edge)
                for subject in subjects:
                    counts[subject][0] += edge.bad
                    counts[subject][1] += 1
                    votes[subject] += edge.bad / len(subjects)
            ripe = [subject for subject, (bad, total) in counts.items() if bad >= _LEAST and bad >= _SHARE * total]
            if not ripe:
                return told
            best = max(ripe, key=lambda subject: (votes[subject] / counts[subject][1], votes[subject]))
            told.append(Told(*best))
            left = [edge for edge in left if best not in _subjects(edge)]
