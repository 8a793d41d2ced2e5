"""Lists what follows from a fault under it, so that it is not told beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import sqrt

import msgspec

from kubesonar.core.diagnosis.evidence import Evidence, Lookups
from kubesonar.core.diagnosis.inference.suspects import Suspect
from kubesonar.core.diagnosis.parts.traversal import OWN_SERVICE
from kubesonar.core.diagnosis.population import Interval, Population
from kubesonar.model import Finding, Kind, Network, clip

_WIDE = ("node", "node_in", "node_out", "pod_network", "pod_network_in", "pod_network_out", "zone_pair", "new_flows")
_BIG_ONES = ("node_mtu", "pod_network_mtu", "pair_mtu")
_FULL = ("conntrack_full", "backlog_full")
_LOSING = (
    *_WIDE,
    "pair",
    "pair_udp",
    "pair_port",
    "dns_node",
    "dns_server",
    "dns_tcp",
    "dns_udp",
    "service_proxy",
)
_TO_TARGETS = ("zone_target", "pair", "pair_port", "pair_slow")
_NOTHING_PASSES = 0.9
"""Loss from which on no full backlog is its cause. Lower, and heavy loss by one is a finding of its own; higher, and a
dead way is told as a busy CPU."""

_BY_CHANCE = 2.0
"""Times its share that a part of the endpoints may be met by chance. Less, and a rollout is a finding; more, and a
Service of which half fails is none while some agents leave."""

_DEVIATIONS = 3.0
"""Standard deviations by which so few trials meet the part more often than that. Fewer, and of many spans of time the
one in which it was met most is a finding; more, and few trials never are."""

_KNOWN_FLOWS = 0.5
"""Times the loss of packets that begin a flow which the share of bad trains must not exceed for new flows alone to be
told to fail. Lower, and they are not told beside another fault of the node; higher, and bursts of loss, which what is
asked again after a bad train meets more often than trains do, are told as such."""

_STARVED = 0.1
"""Share of the time for which a member was not trusted from which on its slowness is its own. Less, and one late
awakening hides a slow link for a minute; more, and an agent at its CPU limit is called slow."""

_OFTEN = 0.05
"""Share of failed look-ups from which on they are told."""

_RESOLVERS = (
    "dns_service",
    "dns_node",
    "dns_server",
    "dns_udp",
    "dns_tcp",
    "dns_cache",
    "service_proxy",
    "dns_upstream",
)
"""The parts that look-ups fail by, the likeliest first."""


_SERVERS = ("dns_service", "dns_server", "dns_udp", "dns_tcp")
"""The parts that a DNS cache asks, wherever it is."""

_ANY_DNS = "dns"
"""The end of the way from a node to the cluster's DNS, whichever server it is (`dns_node`)."""

_WIDTH = 1.0
"""Seconds by which the age at which a fault ended may be off: the width of the newest bins."""

Named = tuple[str, str]
"""A part and its subject."""

AllLookups = Mapping[tuple[str, str], Lookups]
"""Look-ups by source and target."""

Zones = Mapping[str, str]
"""The zones of nodes."""


def listed(findings: Sequence[Finding], lookups: Callable[[], AllLookups], zones: Zones) -> list[Finding]:
    """The findings that are causes, each with what else fails because of it; `zones` are those of the nodes."""
    causes: list[Finding] = []
    because: dict[int, list[str]] = {}
    for finding in findings:
        cause = next((other for other in findings if _because_of(finding, other, zones)), None)
        if cause is None:
            causes.append(finding)
        else:
            because.setdefault(id(cause), []).append(finding.sentence)
    resolver = _resolver(causes)
    if resolver is not None:
        because.setdefault(id(resolver), []).extend(_unresolved(lookups()))
    return [
        msgspec.structs.replace(finding, because=tuple(clip(line) for line in because[id(finding)]))
        if id(finding) in because
        else finding
        for finding in causes
    ]


def outlived(suspect: Suspect, over: Sequence[Suspect], now: float, edges: Sequence[float], zones: Zones) -> bool:
    """Whether what is told of a suspect follows from one of those that are over, and was not tried again since: a plain
    target is asked more rarely than members are. `edges` are those of the bins of age."""
    named, last = suspect.named, suspect.times[-1] if suspect.times else 0.0
    return any(
        _follows(named, suspect.part.fault, cause.named, zones) and last <= now - edges[cause.fit.ended - 1] + _WIDTH
        for cause in over
    )


def of_absent_members(
    found: Suspect, lost: float, who: Population, edges: Sequence[float], full: Collection[str] = ()
) -> bool:
    """Return whether a suspect is the agents' own Service, for all or as some see it, and fails no more often (a share
    of `lost`) than it led to agents that were silent meanwhile: that leave, because its endpoints lag behind what was
    announced, that began anew since the failures did, which may be as long ago as the past is known, or that are on
    `full` nodes, which take no new connections. `edges` are those of the bins of age."""
    name, bins = found.part.name, found.fit.bins
    target = found.subject.partition(" ")[0].rpartition(">")[2]
    if (name not in _TO_TARGETS and name != "service") or target != OWN_SERVICE or not bins:
        return False
    span = edges[bins - 1] + _WIDTH
    pods = [name for name, member in who.members.items() if member.network is Network.POD] or [*who.members]
    silent = sum(
        who.members[name].node in full or (_began_anew(name, who, span) if name in who.read else name in who.excused)
        for name in pods
    )
    share, trials = silent / max(1, len(pods)), sum(sum(cell.total[:bins]) for cell in found.cells)
    chance = _DEVIATIONS * sqrt(share * (1 - share) / max(1, trials))
    return silent > 0 and lost <= max(_BY_CHANCE * share, share + chance)


def of_starved_members(found: Suspect, who: Population, span: float) -> bool:
    """Return whether what is called slow is a member, begins or ends at a node with one, or may have been answered by
    one behind a Service, that could not be trusted for a part of the last `span` seconds: an agent that lacks CPU time
    answers late, also between two troubles."""
    if not found.part.name.endswith("_slow"):
        return False
    ends = {*found.subject.split(">"), *(end.name for cell in found.cells for end in cell.route.target.behind)}
    starved = (name for name, blind in who.blind.items() if _lasted(blind, who.now - span, who.now) > _STARVED * span)
    return any(not ends.isdisjoint((name, who.members[name].node)) for name in starved if name in who.members)


def of_all_flows(found: Suspect, evidence: Evidence) -> bool:
    """Return whether new flows are said to fail at a node of which packets of known flows are lost as well: whatever
    loses those of all flows makes at least as many trains bad as it loses packets."""
    if found.part.name != "new_flows":
        return False
    bins, node = found.fit.bins, found.subject
    bad = total = 0
    for cell in evidence.near(node):
        route = cell.route
        if route.kind is Kind.UDP and route.reach and node in (route.source.node, route.target.node):
            bad += sum(cell.bad[:bins])
            total += sum(cell.total[:bins])
    return bad > _KNOWN_FLOWS * found.fit.rate * total


def for_want_of_room(finding: Finding, cause: Finding) -> bool:
    """Whether what is found happens at a node whose kernel drops packets for want of room, or to a server there. A full
    backlog lets some packets in."""
    start, _, end = finding.subject.partition(" ")[0].partition(">")
    if cause.part == "backlog_full" and finding.loss is not None and finding.loss >= _NOTHING_PASSES:
        return False
    return cause.part in _FULL and finding.part not in _FULL and cause.subject in (start, end, *finding.nodes)


def _began_anew(name: str, who: Population, span: float) -> bool:
    return who.read[name].started > who.read[name].at - span


def _lasted(spans: Sequence[Interval], start: float, end: float) -> float:
    """Return for how many seconds between `start` and `end` the spans last."""
    return sum(max(0.0, min(end, until) - max(start, since)) for since, until in spans)


def _because_of(finding: Finding, cause: Finding, zones: Zones) -> bool:
    named = finding.part, finding.subject
    return (
        for_want_of_room(finding, cause)
        or _needs_big_packets(finding, cause)
        or _follows(named, finding.fault, (cause.part, cause.subject), zones)
    )


def _needs_big_packets(finding: Finding, cause: Finding) -> bool:
    """Whether large answers of DNS do not come to or from a node because no big packets pass there."""
    ends = {*finding.subject.split(">"), *finding.nodes}
    return finding.part == "dns_large" and cause.part in _BIG_ONES and not ends.isdisjoint(cause.subject.split(">"))


def _follows(named: Named, fault: str, cause: Named, zones: Zones) -> bool:
    """Whether a zone, or nodes in it, do not reach a plain target because the zone does not reach another, where the
    target may be; a node gets no answer from one because no big packets pass, as certificates need them; what goes
    through something that loses packets is slow, because they are sent again; or a DNS cache has no answers itself."""
    (name, subject), (by, whose) = named, cause
    start, _, end = subject.partition(" ")[0].partition(">")
    if name in _TO_TARGETS and end not in zones and zones.get(start, start) in _zones_of_way(by, whose, zones):
        return True
    if name.endswith("_slow") and by in _LOSING:
        ends, lossy = {*subject.split(">")}, {*whose.partition(" ")[0].split(">")} - {_ANY_DNS}
        return lossy <= ends or lossy <= {zones.get(end, end) for end in ends}
    if name in ("pair", "pair_port") and by in _BIG_ONES:
        return start in whose.split(">") and end not in whose.split(">")
    return name == "dns_cache" and fault == "refused" and _gets_no_answers(subject, cause, zones)


def _gets_no_answers(node: str, cause: Named, zones: Zones) -> bool:
    """Whether the DNS cache of that node gets no answers itself, from servers that fail or by the ways of its node."""
    by, whose = cause
    ends = whose.partition(" ")[0].split(">")
    return by in _SERVERS or (by in (*_WIDE, "dns_node", "service_proxy") and bool({node, zones.get(node)} & {*ends}))


def _zones_of_way(part: str, subject: str, zones: Zones) -> Sequence[str]:
    """The two zones of which this is the way from one to the other: between two nodes that are alone in theirs it is
    the way between the zones, as far as any probe tells."""
    ends = subject.split(">")
    if part in ("zone_pair", "zone_pair_slow"):
        return ends
    homes = [zones.get(end, "") for end in ends] if part in ("pair", "pair_slow") else []
    return homes if all(home and [*zones.values()].count(home) == 1 for home in homes) else ()


def _resolver(findings: Sequence[Finding]) -> Finding | None:
    """The finding by which names cannot be looked up, if any is: about DNS, else about the way to its servers."""
    ranked = [finding for name in (*_RESOLVERS, *_WIDE) for finding in findings if finding.part == name]
    return next(iter(ranked), None)


def _unresolved(lookups: AllLookups) -> list[str]:
    targets: dict[str, list[int]] = {}
    for (_, target), found in lookups.items():
        count = targets.setdefault(target, [0, 0])
        count[0] += len(found.bad_at)
        count[1] += found.total
    return [
        f"because of this, {bad} of {total} checks of {target} by name fail"
        for target, (bad, total) in sorted(targets.items())
        if bad >= _OFTEN * total
    ]
