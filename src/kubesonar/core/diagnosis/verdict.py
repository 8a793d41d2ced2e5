"""The answer to "is the network healthy?": good, bad or unknown, in one sentence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from kubesonar.core.diagnosis.evidence import Evidence
from kubesonar.core.diagnosis.expectations import have_left, not_ready_remarks, without_agents
from kubesonar.core.diagnosis.findings import Diagnosis, Known, diagnose
from kubesonar.core.diagnosis.joining.join import Basis, basis
from kubesonar.core.diagnosis.parts.node_parts import STARVED
from kubesonar.core.diagnosis.parts.table import part
from kubesonar.core.diagnosis.population import CLOCK_OFF, Population
from kubesonar.core.diagnosis.sentences import WallClock, percent
from kubesonar.model import Health, Snapshot, Trouble, Verdict, clip

__all__ = ["NOTHING_KNOWN", "Known", "judge", "verdict_on"]

_LEAST_SHARE = 0.5
"""Share of the expected members that must have been read before the network may be called healthy."""

_JUST_NOW = 0.4
"""Share of the short window that is "just now"; trials need half of it to settle."""

_LOSSY = 0.05
"""Loss over all paths above which the network is not called healthy, though no part was named yet."""

_SPOILT = 15.0
"""Seconds after a member's trouble for which it may be why nobody has heard the member: answers count for some 12 s,
and the next ones are known after some more. Shorter, and a check says that it cannot tell because an agent lacked CPU
time; longer, and that nobody hears a member is put down to a trouble which was over before."""

_MOST_LINES = 100

NOTHING_KNOWN: Known = {}
"""The knowledge from before where nobody looked before."""


class _Gaps(NamedTuple):
    """Sentences that say why the network may not be called healthy, though nothing sick was found: what was `seen`, and
    what could not be seen, as members that were `unheard`."""

    seen: list[str]
    unseen: list[str]
    unheard: frozenset[str] = frozenset()


def judge(snapshots: Sequence[Snapshot], unread: Mapping[str, str], now: float, clock: WallClock) -> Verdict:
    """`verdict_on` what these say."""
    return verdict_on(basis(snapshots, unread, now), clock)


def verdict_on(found: Basis, clock: WallClock, known: Known = NOTHING_KNOWN) -> Verdict:
    """The verdict. `clock` renders Unix seconds as a time of day; what is `known` from before keeps its beginning."""
    who, evidence, unread = found.who, found.evidence, found.unread
    diagnosis = diagnose(who, evidence, clock, known)
    findings = diagnosis.findings
    seen, unseen, unheard = _gaps(who, evidence, unread, diagnosis.starved)
    gaps = seen + unseen
    health = Health.BAD if findings else Health.UNKNOWN if gaps else Health.GOOD
    blamed = {finding.subject for finding in findings}
    remarks = [] if findings else list(gaps)
    if who.read:
        remarks += [
            f"{name} could not be read: {why}"
            for name, why in sorted(unread.items())
            if name not in who.members or (name in who.expected and not blamed & {name, who.members[name].node})
        ]
    else:
        remarks += [f"{names} could not be read: {why}" for names, why in _by_reason(unread)[1:]]
    remarks += diagnosis.remarks
    remarks += not_ready_remarks(who, evidence, findings, clock)
    remarks += _remarks(who, evidence, clock)
    return Verdict(
        verdict=health,
        sentence=_sentence(who, evidence, diagnosis, gaps),
        at=found.at,
        findings=tuple(findings),
        unknown=tuple(clip(remark) for remark in dict.fromkeys(remarks))[:_MOST_LINES],
        states=tuple(clip(why) for _, why in sorted(who.excused.items()))[:_MOST_LINES],
        left=have_left(who),
        observers=len(who.read),
        members=len(who.members.keys() | who.read.keys()),
        blind=health is Health.UNKNOWN and not seen,
        unheard=unheard if findings or len(unheard) == len(gaps) else frozenset(),
    )


def _sentence(who: Population, evidence: Evidence, diagnosis: Diagnosis, gaps: Sequence[str]) -> str:
    findings = diagnosis.findings
    if findings:
        more = len(findings) - 1
        return findings[0].sentence + (f" (and {more} more)" if more else "")
    if gaps:
        return f"cannot tell: {gaps[0]}" + (f" (and {len(gaps) - 1} more)" if len(gaps) > 1 else "")
    nodes = {who.members[name].node for name in who.expected}
    return (
        f"the network is healthy: {_count(len(nodes), 'node')}, {_count(len(who.expected), 'agent')}, "
        f"{_count(evidence.paths, 'path')}, {_loss(evidence, diagnosis.starved)}{without_agents(who)}"
    )


def _loss(evidence: Evidence, starved: Collection[str]) -> str:
    """The loss of the short window, or of the last seconds where something has just ended; what goes to starved agents
    is not lost by the network."""
    short = evidence.ages.short
    now, before = evidence.loss(_JUST_NOW * short, starved), evidence.loss(short, starved)
    if before < _LOSSY:
        return f"{percent(before)} loss in the last {short:.0f} s"
    return f"{percent(now)} loss in the last {_JUST_NOW * short:.0f} s ({percent(before)} in the last {short:.0f} s)"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _gaps(who: Population, evidence: Evidence, unread: Mapping[str, str], starved: Collection[str]) -> _Gaps:
    """Return why the network may not be called healthy, though nothing sick was found."""
    if not who.read:
        reasons = [f" ({names}: {why})" for names, why in _by_reason(unread)]
        return _Gaps([], ["no agent could be read" + "".join(reasons[:1])])
    if not who.expected:
        return _Gaps([], ["no member is expected to answer"])
    read = len(who.expected & who.read.keys())
    if read < _LEAST_SHARE * len(who.expected):
        return _Gaps([], [f"only {read} of {len(who.expected)} serving agents could be read"])
    if not evidence.old:
        return _Gaps([], ["not enough has been measured yet"])
    share = evidence.loss(_JUST_NOW * evidence.ages.short, starved)
    seen = [f"{percent(share)} of all packets were lost just now, too few yet to say where"] if share >= _LOSSY else []
    silent = _unheard(who, evidence) - {*starved}
    brief = {name for name in silent if _starved(who, name)}
    if len(brief) <= _LEAST_SHARE * len(who.expected):
        silent -= brief
    return _Gaps(seen, [_silent(name, who, unread) for name in sorted(silent)], frozenset(silent))


def _unheard(who: Population, evidence: Evidence) -> frozenset[str]:
    """Return the expected members that nobody has heard lately. The members of a cluster's only node ask each other
    nothing: those that were read, and can be trusted, are there."""
    unheard = who.expected - evidence.heard
    if len({who.members[name].node for name in who.expected}) > 1:
        return unheard
    return frozenset(name for name in unheard if name not in who.read or _troubled(who, name))


def _by_reason(unread: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return who could not be read ("node-1-pod and 3 more") and why, the most frequent reason first."""
    names: dict[str, list[str]] = {}
    for name, why in sorted(unread.items()):
        names.setdefault(why, []).append(name)
    ranked = sorted(names.items(), key=lambda item: -len(item[1]))
    return [(those[0] + (f" and {len(those) - 1} more" if those[1:] else ""), why) for why, those in ranked]


def _silent(name: str, who: Population, unread: Mapping[str, str]) -> str:
    if name in who.read and who.blind[name] and _troubled(who, name):
        return f"{name} could not be trusted in the last seconds"
    if name in unread:
        return f"{name} was neither read ({unread[name]}) nor heard"
    reason = who.members[name].reason
    return f"nobody has heard {name} in the last seconds" + (f": {reason}" if reason else "")


def _starved(who: Population, name: str) -> bool:
    """Return whether a member that was read says that it could not measure just now, for less time than makes it
    frozen."""
    trouble = _trouble(who.read[name]) if name in who.read else None
    return trouble is not None and (trouble.until or who.read[name].at) - trouble.since < STARVED


def _troubled(who: Population, name: str) -> bool:
    return _trouble(who.read[name]) is not None or who.read[name].started > who.read[name].at - CLOCK_OFF


def _trouble(snapshot: Snapshot) -> Trouble | None:
    """Return the latest trouble of a member, None where it was over long before."""
    latest = next(reversed(snapshot.troubles), None)
    return latest if latest is not None and (latest.until or snapshot.at) >= snapshot.at - _SPOILT else None


def _remarks(who: Population, evidence: Evidence, clock: WallClock) -> list[str]:
    """Return what else could not be told: by whom, and why."""
    remarks = [f"{name}: version/key mismatch" for name in _mismatched(evidence.mismatches)]
    remarks += _of_rosters(who)
    remarks += [line for name in sorted(who.read) for line in _local(who, name, clock)]
    for name in sorted(who.read):
        if abs(who.offset(name)) > CLOCK_OFF:
            remarks.append(f"the clock of {name} is {-who.offset(name):+.0f} s off")
    return remarks


def _of_rosters(who: Population) -> list[str]:
    """Whether rosters are out of date, by one of the reasons, and what they cannot tell."""
    rosters = [snapshot.roster for _, snapshot in sorted(who.read.items())]
    stale = [roster.stale for roster in rosters if roster.stale]
    lines = [f"the roster of {len(stale)} of {len(rosters)} agents is stale: {stale[0]}"] if stale else []
    lines += who.disagreements
    lacks = [roster.lacks for roster in rosters if roster.lacks]
    return lines + _alike([*lacks, *(line for snapshot in who.read.values() for line in snapshot.lacks)])


def _alike(sentences: Iterable[str]) -> list[str]:
    """One sentence of each first clause, sorted; with a count where what follows differs, as times and reasons do."""
    groups: dict[str, list[str]] = {}
    for sentence in sentences:
        groups.setdefault(sentence.partition(": ")[0], []).append(sentence)
    return sorted(
        min(group) + (f" (and {len(group) - 1} more agents)" if len(set(group)) > 1 else "")
        for group in groups.values()
    )


def _local(who: Population, name: str, clock: WallClock) -> list[str]:
    lines = []
    row = part("observer")
    offset = who.offset(name)
    for trouble in who.read[name].latest_troubles[-1:]:
        when = f"since {clock(trouble.since + offset)}"
        if trouble.until is not None:
            when = f"from {clock(trouble.since + offset)} to {clock(trouble.until + offset)}"
        lines.append("local: " + row.total.format(subject=name, when=when, cause=trouble.cause))
    return lines


def _mismatched(pairs: frozenset[tuple[str, str]]) -> list[str]:
    """The fewest members that account for all mismatches."""
    left, found = set(pairs), []
    while left:
        names = sorted({name for pair in left for name in pair})
        worst = max(names, key=lambda name: sum(name in pair for pair in left))
        found.append(worst)
        left = {pair for pair in left if worst not in pair}
    return found
