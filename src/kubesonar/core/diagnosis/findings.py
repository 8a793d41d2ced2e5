"""Names the sick parts: from the evidence of all members to findings, one for each cause."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from kubesonar.core.diagnosis.confirmation import confirmation
from kubesonar.core.diagnosis.consequences import (
    listed,
    of_absent_members,
    of_all_flows,
    of_starved_members,
    outlived,
)
from kubesonar.core.diagnosis.evidence import Cell, Evidence
from kubesonar.core.diagnosis.expectations import beside
from kubesonar.core.diagnosis.inference.exhaustion import full_backlog, full_conntrack, not_read_now
from kubesonar.core.diagnosis.inference.likelihood import confidence
from kubesonar.core.diagnosis.inference.slow_links import SLOW, SlowLink, dead_pairs, slow_links
from kubesonar.core.diagnosis.inference.suspects import CLEAR, Suspect
from kubesonar.core.diagnosis.localization.search import Search
from kubesonar.core.diagnosis.parts.table import part
from kubesonar.core.diagnosis.population import Population
from kubesonar.core.diagnosis.sentences import (
    WallClock,
    agreement,
    bits,
    both_ways,
    delay,
    home,
    kinds,
    loss,
    or_back,
    percent,
    seen_by,
    since_when,
    size,
    time_of,
    total,
    way_back,
    ways_of,
    wrong_answer,
)
from kubesonar.core.diagnosis.slow_programs import of_slow_programs
from kubesonar.core.diagnosis.zones import by_zone
from kubesonar.model import Finding, Member, Network, Severity, clip

_FROZEN = "agent_frozen"
_AGENTS = ("agent_gone", _FROZEN)
_PAIRS = ("pair", "pair_udp", "pair_port", "pair_family")
_DEAD_BINS = 4
_SURE = 20.0

_FAINT = 0.05
"""Loss of a pair below which it is a remark: TCP hides it, and one pair is a small part of a cluster."""


class Diagnosis(msgspec.Struct, frozen=True):
    """The findings, the surest first, and a sentence for each that may become one. `starved` are the members that do
    not run, though their hosts answer, for less time than it takes to call them frozen."""

    findings: list[Finding]
    remarks: list[str]
    starved: frozenset[str]


Known = Mapping[tuple[str, str], float]
"""Since when a part and its subject are known to be sick (Unix seconds)."""


def diagnose(who: Population, evidence: Evidence, clock: WallClock, known: Known) -> Diagnosis:
    """The parts that are sick now. `clock` renders Unix seconds for sentences; what is `known` from before keeps its
    beginning."""
    for speed in [speed for speed in evidence.speeds if any(0 < rate < SLOW for _, rate in speed.rates)]:
        evidence.near(who.members[speed.source].node)
        evidence.near(who.members[speed.target].node)
    links = slow_links(who, evidence.speeds)
    displaced = [name for name in sorted(evidence.misdelivered) if name in who.expected]
    dead = dead_pairs(evidence.cells, _DEAD_BINS) if links else set()
    search = Search(
        evidence,
        who.now,
        lambda cell: not _at_taken_address(cell, displaced) and not _slowed(cell, links, dead),
        known,
    )
    edges = evidence.ages.edges
    conntrack = _still_full("conntrack_full", Network.HOST, who, evidence, known) | full_conntrack(who)
    suspects = [
        found
        for found in search.run()
        if not outlived(found, search.over, who.now, edges, who.zones)
        and not _of_members(found, who, evidence, conntrack)
        and not of_all_flows(found, evidence)
    ]
    suspects = _without_told_rivals(suspects)
    writer = _Writer(who, evidence, clock, known)
    findings = [writer.displaced(who.members[name]) for name in displaced]
    findings += [writer.slow(link) for link in links]
    backlog = _still_full("backlog_full", None, who, evidence, known) | full_backlog(who, _well(who, suspects))
    for name, full in (("conntrack_full", conntrack), ("backlog_full", backlog)):
        findings += [writer.full(name, node, used) for node, used in full.items()]
    findings += [writer.withheld(node, big) for node, big in _withheld(who).items()]
    findings += [writer.finding(suspect) for suspect in suspects if suspect.part.name not in _AGENTS]
    findings += writer.agents([suspect for suspect in suspects if suspect.part.name in _AGENTS])
    old: list[Finding] = []
    young: list[Finding] = []
    for finding in findings:
        (young if _young(finding, who.now) else old).append(finding)
    causes = by_zone(listed(_distinct(old), evidence.all_lookups, who.zones), who, evidence, clock)
    causes = [cause for cause in causes if cause.because or cause.part != "backlog_full"]
    return Diagnosis(
        [msgspec.structs.replace(cause, confirm=confirmation(cause, who)) for cause in causes],
        [_remark(finding) for finding in young],
        frozenset(name for finding in young if finding.part == _FROZEN for name in _agents_of(finding.subject, who)),
    )


def _remark(young: Finding) -> str:
    """Return the sentence for what may become a finding: an agent that does not run is starved of CPU time, until that
    has lasted too long."""
    if young.part == _FROZEN:
        return young.sentence.replace(f" {young.fault}, ", " starved, ")  # and not in a node's name
    return f"{young.sentence} (too new to tell)"


def _agents_of(subject: str, who: Population) -> Iterator[str]:
    """The member of that name, or those on the node of that name."""
    return (name for name, member in who.members.items() if subject in (name, member.node))


def _still_full(
    name: str, network: Network | None, who: Population, evidence: Evidence, known: Known
) -> dict[str, str]:
    """Return the nodes of which that was told before, and whose agents in that network say no more, each with why."""
    return not_read_now(who, network, [node for part_name, node in known if part_name == name], evidence.heard)


def _of_members(found: Suspect, who: Population, evidence: Evidence, full: Collection[str]) -> bool:
    """Return whether what is told of a suspect follows from members that are absent, starved or slow, or on `full`
    nodes, which take no new connections."""
    ages = evidence.ages
    absent = of_absent_members(found, loss(found, ages.recent), who, ages.edges, full)
    return absent or of_starved_members(found, who, ages.long) or of_slow_programs(found, who, evidence)


def _without_told_rivals(suspects: Sequence[Suspect]) -> list[Suspect]:
    """These, without the rivals that are told themselves: both are sick, and neither is held for the other."""
    told = {suspect.named for suspect in suspects}
    return [
        msgspec.structs.replace(
            suspect, rivals=[rival for rival in suspect.rivals if (rival.part, rival.subject) not in told]
        )
        for suspect in suspects
    ]


def _well(who: Population, suspects: Sequence[Suspect]) -> set[str]:
    """Return the nodes that no suspect names, nor their zone."""
    named = {word for suspect in suspects for word in suspect.subject.partition(" ")[0].split(">")}
    return {node for node, zone in who.zones.items() if named.isdisjoint((node, zone, "all"))}


def _withheld(who: Population) -> dict[str, int]:
    """Return the nodes whose agents say that a report was too big for its way, with the size (bytes) of the
    smallest."""
    found: dict[str, int] = {}
    for name, snapshot in sorted(who.read.items()):
        if snapshot.withheld and name in who.expected:
            node = who.members[name].node
            found[node] = min(snapshot.withheld, found.get(node, snapshot.withheld))
    return found


def _young(finding: Finding, now: float) -> bool:
    """Whether it has not lasted as long as its part must before it is told."""
    return finding.since is not None and now - finding.since < min_age(finding.part)


def min_age(name: str) -> float:
    """Seconds for which a part of that name must have been sick before it is told."""
    return part(name).age


def _slowed(cell: Cell, links: Sequence[SlowLink], dead: Collection[tuple[str, str]]) -> bool:
    """Whether slow links explain what is lost there: it goes through one, and something passes."""
    if not links or (cell.route.source.place, cell.route.target.place) in dead:
        return False
    row = part("link_rate")
    return any(row.hidden(cell.route, link.node) for link in links)


def _at_taken_address(cell: Cell, displaced: Sequence[str]) -> bool:
    """Whether another member than the target answers on that route: it says nothing of the target."""
    row = part("agent_displaced")
    return any(row.hidden(cell.route, name) for name in displaced)


def _distinct(findings: Sequence[Finding]) -> list[Finding]:
    """One finding for each part and subject: rows of one name are ways to see the same part."""
    first: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        first.setdefault((finding.part, finding.subject), finding)
    return list(first.values())


class _Writer:
    def __init__(self, who: Population, evidence: Evidence, clock: WallClock, known: Known) -> None:
        self._who = who
        self._known = known
        self._evidence = evidence
        self._clock = clock

    def slow(self, link: SlowLink) -> Finding:
        row = part("link_rate")
        return Finding(
            part=row.name,
            subject=link.node,
            fault=row.fault,
            since=None,
            confidence=confidence(_SURE * len(link.peers) / link.asked),
            sentence=row.total.format(subject=link.node, rate=bits(link.rate)),
            evidence=(clip(f"{len(link.peers)} of {link.asked} peers see this rate: {', '.join(link.peers)}"),),
            severity=row.severity,
        )

    def full(self, name: str, node: str, used: str) -> Finding:
        """The finding that a node's kernel drops packets for want of room, as it says itself."""
        return self._said(name, node, used, f"the kernel of {node} says so itself: {used}")

    def withheld(self, node: str, big: int) -> Finding:
        """The finding that big reports of a node's agents do not get to the collector, as they say themselves."""
        evidence = f"agents of {node} report without their edges since one of {big} bytes was not taken"
        return self._said("collector_mtu", node, f"a report of {big} bytes", evidence)

    def _said(self, name: str, node: str, used: str, evidence: str) -> Finding:
        """The finding of that part of a node which needs no inference, because the node says so itself."""
        row = part(name)
        return Finding(
            part=row.name,
            subject=node,
            fault=row.fault,
            since=self._known.get((row.name, node)),
            confidence=confidence(_SURE),
            sentence=row.total.format(subject=node, used=used),
            evidence=(clip(evidence),),
            severity=row.severity,
        )

    def displaced(self, member: Member) -> Finding:
        """The finding that another member answers at the address of this one."""
        row = part("agent_displaced")
        seen = self._evidence.misdelivered[member.name]
        began = self._known.get((row.name, member.name), min(at for at, _ in seen.values()))
        subject = f"{member.name} on {member.node}" if member.node != member.name else member.name
        return Finding(
            part=row.name,
            subject=member.name,
            fault=row.fault,
            since=began,
            confidence=confidence(_SURE * len(seen)),
            sentence=row.total.format(address=next(iter(seen.values()))[1], subject=subject, since=self._clock(began)),
            evidence=(clip(f"another member answered {', '.join(sorted(seen))}"),),
            severity=row.severity,
            observers=tuple(sorted(seen)),
        )

    def finding(self, suspect: Suspect) -> Finding:
        began = self._known.get(suspect.named)
        if began is None:
            began = since_when(suspect, self._evidence, self._who.now)
        return self._write(suspect, suspect.subject, began, self._words(suspect, began))

    def agents(self, suspects: Sequence[Suspect]) -> list[Finding]:
        """One finding where all agents of a node are gone, or frozen."""
        groups: dict[tuple[str, str], list[Suspect]] = {}
        for suspect in suspects:
            member = self._who.members.get(suspect.subject)
            groups.setdefault((suspect.part.name, member.node if member else suspect.subject), []).append(suspect)
        return [finding for (_, node), group in groups.items() for finding in self._agents(node, group)]

    def _agents(self, node: str, group: Sequence[Suspect]) -> list[Finding]:
        there = {name for name in self._who.expected if self._who.members[name].node == node}
        named = {suspect.subject for suspect in group}
        if node in named or there == named:
            words = {"noun": "agents", "be": "are"} if len(there) > 1 else {"noun": "agent", "be": "is"}
            return [self._agent(group, node, words | {"node": node})]
        return [
            self._agent([suspect], suspect.subject, {"noun": f"agent {suspect.subject}", "be": "is", "node": node})
            for suspect in group
        ]

    def _agent(self, group: Sequence[Suspect], subject: str, words: dict[str, str]) -> Finding:
        began = self._known.get((group[0].part.name, subject))
        if began is None:
            began = min(since_when(suspect, self._evidence, self._who.now) for suspect in group)
        surest = max(group, key=lambda suspect: suspect.net)
        return self._write(surest, subject, began, words)

    def _words(self, suspect: Suspect, began: float) -> dict[str, str]:
        path, _, which = suspect.subject.partition(" ")
        start, _, end = path.partition(">")
        above, vanish = size(suspect, self._evidence)
        lost = loss(suspect, self._evidence.ages.recent)
        return {
            "subject": path if which.startswith("ipv") else suspect.subject,
            "a": start,
            "b": end,
            "port": which,
            "ip": which.replace("ipv", "IPv"),
            "since": self._clock(began)
            if suspect.named in self._known
            else time_of(began, self._who.now, self._evidence.ages, self._clock),
            "loss": percent(lost),
            "both": both_ways(suspect, lost),
            "gets": ways_of(suspect),
            "agree": agreement(suspect),
            "cut": "down or cut off" if self._beside(path) else f"cut off: nothing gets {ways_of(suspect)}",
            "back": way_back(path, self._evidence.near(*path.split(">")), suspect.fit.bins),
            "or_back": or_back(suspect),
            "above": above,
            "vanish": vanish,
            "delay": delay(suspect),
            "said": wrong_answer(suspect, self._evidence),
        }

    def _beside(self, subject: str) -> str:
        return beside(subject, self._who, self._clock)

    def _write(self, suspect: Suspect, subject: str, began: float, words: dict[str, str]) -> Finding:
        row = suspect.part
        template = row.partial if row.partial and not total(suspect) else row.total
        called = self._beside(subject)
        agree = words.get("agree", "")
        evidence, against = kinds(suspect)
        leads: dict[str, float] = {}  # of rows of one name the nearest, which comes first
        for rival in suspect.rivals:
            leads.setdefault(f"{rival.part} {rival.subject}", rival.lead)
        alike = tuple(name for name, lead in leads.items() if lead < CLEAR)
        if alike:
            evidence.append(clip(f"the present probes cannot tell this from: {', '.join(alike)}"))
        return Finding(
            part=row.name,
            subject=subject,
            fault=row.fault,
            since=began,
            confidence=confidence(suspect.net),
            sentence=template.format_map(words | {"agree": called + agree}) + ("" if "{agree}" in template else called),
            evidence=tuple(evidence),
            against=tuple(against),
            severity=self._severity(suspect),
            observers=seen_by(suspect),
            loss=loss(suspect, self._evidence.ages.recent),
            nodes=home(suspect),
            zones=self._crossed(subject),
            alike=alike,
            latest=suspect.latest,
            rivals=tuple(f"{name}: less likely by {lead:.0f} nats" for name, lead in leads.items() if lead >= CLEAR),
        )

    def _crossed(self, subject: str) -> tuple[str, ...]:
        """The zones of both ends of a way between nodes, where these are two."""
        zones = tuple(self._who.zones.get(node, "") for node in subject.partition(" ")[0].split(">"))
        return zones if all(zones) and len({*zones}) > 1 else ()

    def _severity(self, suspect: Suspect) -> Severity:
        if suspect.part.name in _PAIRS and loss(suspect, self._evidence.ages.recent) < _FAINT:
            return Severity.INFO
        return suspect.part.severity
