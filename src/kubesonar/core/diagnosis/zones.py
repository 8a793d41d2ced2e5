"""A zone of which most nodes are silent is one incident, not as many as it has nodes or ways into it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from kubesonar.core.diagnosis.evidence import Evidence
from kubesonar.core.diagnosis.parts.table import part
from kubesonar.core.diagnosis.population import Population
from kubesonar.core.diagnosis.sentences import WallClock
from kubesonar.model import Finding, Severity, clip

_MOST = 2 / 3
"""Share of a zone's nodes that must be silent before the zone is named. Lower, and some nodes that fail together are
told as their zone; higher, and a zone with a survivor is told node by node."""

_FEW = 1 / 3
"""Share of all other nodes that may be silent: with more, it is no matter of one zone."""

SEVERAL = 3
"""Nodes that are sick at once from which on each is critical."""

_NEWEST_BINS = 3
"""Newest bins of age in which a node has answered nothing to be silent: less, and it was asked too seldom; more, and a
zone is told after its nodes."""

_NODES = ("node", "node_in", "node_out")


def by_zone(findings: Sequence[Finding], who: Population, evidence: Evidence, clock: WallClock) -> list[Finding]:
    """Return the findings with those of silent zones as one each, and with several sick nodes as critical."""
    silent = silent_nodes(who, evidence) if findings else frozenset()
    left = list(findings)
    for zone, nodes in sorted(_nodes_by_zone(who).items()):
        there, elsewhere = nodes & silent, silent - nodes
        others = len(set(who.zones) - nodes)
        if len(nodes) > 1 and others and len(there) >= _MOST * len(nodes) and len(elsewhere) <= _FEW * others:
            causes = [finding for finding in left if _within(finding, zone, there)]
            if causes:
                left = [_zone(zone, nodes, there, causes, clock), *(f for f in left if f not in causes)]
    several = sum(finding.part in _NODES for finding in left) >= SEVERAL
    return [
        msgspec.structs.replace(finding, severity=Severity.CRITICAL) if several and finding.part in _NODES else finding
        for finding in left
    ]


def silent_nodes(who: Population, evidence: Evidence) -> frozenset[str]:
    """Return the nodes none of whose expected members was read or answered lately, though they were asked."""
    for node in _silent_so_far(who, evidence):
        evidence.near(node)
    return _silent_so_far(who, evidence)


def _silent_so_far(who: Population, evidence: Evidence) -> frozenset[str]:
    asked: set[str] = set()
    answered = {who.members[name].node for name in who.expected & who.read.keys()}
    for cell in evidence.cells:
        node, total = cell.route.target.node, sum(cell.total[:_NEWEST_BINS])
        if total and cell.route.target.network and cell.route.reach:
            asked.add(node)
            if sum(cell.bad[:_NEWEST_BINS]) < total:
                answered.add(node)
    return frozenset(asked - answered)


def _nodes_by_zone(who: Population) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name in who.expected:
        member = who.members[name]
        if member.zone:
            found.setdefault(member.zone, set()).add(member.node)
    return found


def _within(finding: Finding, zone: str, silent: Collection[str]) -> bool:
    """Whether a finding is about the silent nodes, or about the ways into their zone or out of it."""
    ends = finding.subject.partition(" ")[0].split(">")
    if finding.part == "zone_pair":
        return zone in ends
    return finding.part in (*_NODES, "pair", "pair_udp", "pair_port") and any(end in silent for end in ends)


def _zone(
    zone: str, nodes: Collection[str], silent: Collection[str], causes: Sequence[Finding], clock: WallClock
) -> Finding:
    row = part("zone")
    began = min((cause.since for cause in causes if cause.since is not None), default=None)
    which = f"none of its {len(nodes)} nodes answers"
    if len(silent) < len(nodes):
        which = f"{len(silent)} of its {len(nodes)} nodes do not answer"
    since = "" if began is None else f" since {clock(began)}"
    return Finding(
        part=row.name,
        subject=zone,
        fault=row.fault,
        since=began,
        confidence=max(cause.confidence for cause in causes),
        sentence=row.total.format(subject=zone, since=since, which=which),
        evidence=(clip(f"without an answer: {', '.join(sorted(silent))}"), *causes[0].evidence),
        against=causes[0].against,
        severity=row.severity,
        observers=causes[0].observers,
        loss=1.0,
        nodes=tuple(sorted(silent)),
        because=tuple(clip(line) for cause in causes for line in (cause.sentence, *cause.because)),
    )
