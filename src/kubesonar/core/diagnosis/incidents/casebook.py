"""Findings over time: one incident for one cause, opened when it is stable, closed when what was sick is well.

A machine: the event is a verdict, the actions are what became of incidents. A part named in one look and another
in the next is no incident; one that is not named for a moment is no recovery; and a return within half an hour is the
same incident again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple

import msgspec

from kubesonar.core.diagnosis.consequences import for_want_of_room
from kubesonar.core.diagnosis.inference.persistence import HARD
from kubesonar.core.diagnosis.parts.table import both_ways_of
from kubesonar.model import Finding, Health, Verdict

HOLD = 1.5
"""Seconds for which the same part must be named before an incident is opened. Shorter, and a wider part is named before
there are trials enough; longer, and every fault is told late."""

WELL = 2.5
"""Seconds without the finding after which an incident is closed. Shorter, and incidents flap with single trials;
longer, and they outlast the cure. Loss that is faint takes longer to be seen to have ended, as `_FAINT` says."""

LEFT_OPEN = 2 * WELL
"""Seconds for which looks that show one way of a part, while some agent cannot be read, do not speak against both ways.
Shorter, and a part of which every second look shows one way only is never told; longer, and where some agent can never
be read two looks that are far apart are taken for one after the other."""

_FAINT = 0.06
"""Loss below which a finding must be gone for longer than `WELL`, in proportion: half as much loss, and lost packets
are half as frequent, so that a silence twice as long may be chance. A pair is crossed by 16 packets a second, so that
2.4 of them would be lost meanwhile. Lower, and incidents of faint loss close while it lasts; higher, and they outlast
the cure."""

_MOST_PATIENT = 20.0
"""Most times `WELL` for which a finding of faint loss must be gone. More, and incidents of 0.3 % and less outlast the
cure by more than a minute; fewer, and they flap."""

_OF_DNS = ("dns_server", "dns_udp", "dns_tcp", "dns_large")

_TOLD_AT_ONCE = "conntrack_full"
"""The part that no probe has to show. A full backlog is told only beside loss, which may be of one look."""

_FULL = "full"
_SELDOM_READ = 4.0
"""Times `WELL` for which what a kernel says of itself must be gone: while it drops new connections, its agents cannot
be read each time. Fewer, and such an incident flaps; more, and it outlasts the cure."""

SAME = 1800.0
"""Seconds after its closing in which a return is the same incident."""

BELIEVED_WELL = 10.0
"""Seconds for which a network that was seen to be well is held to be so while looks cannot tell. Shorter, and a single
look at starved agents, or one that read too few of them in time, makes the verdict unknown; longer, and it is called
healthy for as long although nobody can be read."""

RESUMED = 10.0
"""Seconds for which an incident that was open is held to be so after a start. Shorter, and it is closed before agents
have reported; longer, and one that ended meanwhile is told for as long."""

_WAY_ALONE = 10.0
"""Seconds for which one way of a part must be named alone before it takes the place of both ways, where some packets
get through: what is lost in bursts shows one way only now and then. Shorter, and it does so; longer, and what is well
again one way is told both ways for longer."""

FLAPS = 3
"""Returns from which on an incident is said to flap."""

_SAME_ONSET = 15.0
"""Seconds between the beginnings of two findings of which one took the other's place."""

_MOST = 1000
"""Most incidents that are remembered; the oldest closed one is forgotten first."""

IncidentKey = tuple[str, str]
"""A part and its subject."""


class Became(Enum):
    """The outcome of an incident at one look."""

    OPENED = "opened"
    CHANGED = "changed"
    """Its explanation is another: another part, at what is the same place or contains it."""
    RETURNED = "returned"
    FLAPPING = "flapping"
    CLOSED = "closed"
    LEFT = "left"
    """The incident is not well, but gone: its node or member was deleted."""
    MERGED = "merged"
    """The incident is not well, but part of what another one is about that was opened since: that one goes on."""


class Incident(msgspec.Struct):
    """One cause: what was found last, `since` when it lasts (as first found), when it was `opened`, when it was last
    `seen`, when it `closed` (None while it is open), how often it came back, and which members were `unheard` when it
    was last seen (None where that is not known: after a start, and once it is closed). Times are Unix seconds."""

    number: int
    finding: Finding
    since: float
    opened: float
    seen: float
    closed: float | None = None
    returns: int = 0
    unheard: frozenset[str] | None = None

    @property
    def key(self) -> IncidentKey:
        """The part and its subject."""
        return self.finding.part, self.finding.subject


class IncidentChange(msgspec.Struct, frozen=True):
    """An action of the casebook: what became of which incident."""

    became: Became
    incident: Incident


class _Candidate(NamedTuple):
    """A part that is named: `since` when in every look, and when it was `found` last (Unix seconds)."""

    since: float
    found: float


class Casebook:
    """All incidents of one cluster. It needs no timer: a look is taken again and again anyway."""

    due: float | None = None

    def __init__(self, known: Iterable[Incident] = (), well: tuple[float, str] | None = None) -> None:
        """Go on with the incidents that are `known` from another casebook, each of another part, and its `well`."""
        self._incidents: dict[IncidentKey, Incident] = {incident.key: incident for incident in known}
        self._candidates: dict[IncidentKey, _Candidate] = {}
        self._numbers = max((incident.number for incident in self._incidents.values()), default=0)
        self.well = well
        """The time of the latest look by which all was well (Unix seconds) and what it said; None where something sick
        was seen since."""

    @property
    def open(self) -> list[Incident]:
        """The incidents that are open, the oldest first."""
        return [incident for incident in self._incidents.values() if incident.closed is None]

    @property
    def known(self) -> Mapping[IncidentKey, float]:
        """The times since when what may be found next lasts, as far as that was told before."""
        return {incident.key: incident.since for incident in self.open}

    def believed_well(self, now: float) -> str:
        """Return what the latest look said by which all was well, and how long ago; empty where that was more than
        `BELIEVED_WELL` before `now` (Unix seconds), or something sick was seen since."""
        if self.well is None or not 0 <= now - self.well[0] <= BELIEVED_WELL:
            return ""
        at, sentence = self.well
        return f"{sentence} ({now - at:.0f} s ago)"

    def note(self, now: float, event: Verdict) -> None:
        """Remember whether all was well by that verdict, formed at `now` (Unix seconds), as a replica does on which
        nothing becomes of incidents."""
        if event.verdict is not Health.UNKNOWN:
            self.well = (now, event.sentence) if event.verdict is Health.GOOD else None

    def step(self, now: float, event: Verdict | None = None) -> list[IncidentChange]:
        """Return what became of incidents by that verdict, formed at `now` (Unix seconds)."""
        if event is None:
            return []
        self._forget_what_is_to_come(now)
        self.note(now, event)
        found = {(finding.part, finding.subject): finding for finding in event.findings}
        self._candidates = self._left_open(now, found, event) | {key: self._named(now, key) for key in found}
        changes = [change for key, finding in found.items() for change in self._found(now, key, finding, found)]
        for incident in self.open:
            if incident.key in found:
                incident.unheard = event.unheard
            left = incident.finding.subject in event.left
            if (left or _is_told(event, incident)) and self._over(now, incident, found):
                incident.closed, incident.unheard = now, None
                changes.append(IncidentChange(Became.LEFT if left else self._end(incident, found), incident))
        self._forget(now)
        return changes

    def _named(self, now: float, key: IncidentKey) -> _Candidate:
        """Return the candidate that is found now, since when it was named before unless that is still to come."""
        before = self._candidates.get(key)
        return _Candidate(now if before is None else min(before.since, now), now)

    def _left_open(
        self, now: float, found: Mapping[IncidentKey, Finding], event: Verdict
    ) -> dict[IncidentKey, _Candidate]:
        """Return the candidates of which this look shows one of both ways: while an agent cannot be read, that does not
        speak against both for some seconds."""
        ways = {_of_both_ways(key) for key in found} if event.observers < event.members else ()
        return {
            key: candidate
            for key, candidate in self._candidates.items()
            if key in ways and 0 <= now - candidate.found < LEFT_OPEN
        }

    def _found(
        self, now: float, key: IncidentKey, finding: Finding, found: Mapping[IncidentKey, Finding]
    ) -> list[IncidentChange]:
        known = self._incidents.get(key)
        if known is not None and known.closed is None:
            known.seen = now
            if _goes_on(known.finding, finding, now):
                known.finding = finding
            return []
        said = finding.part == _TOLD_AT_ONCE  # by a kernel of itself, which needs no second look
        hold = _WAY_ALONE if self._of_two_ways(finding) else HOLD
        stable = said or now - self._candidates[key].since >= hold
        if not stable or any(for_want_of_room(finding, other.finding) for other in self.open):
            return []
        known = self._told_otherwise(finding, found) or known
        if known is not None and known.closed is not None and _before(finding, known.closed):
            return []
        if known is not None:
            was_open = known.closed is None
            del self._incidents[known.key]
            known.finding, known.seen, known.closed = finding, now, None
            self._incidents[key] = known
            if was_open:
                return [IncidentChange(Became.CHANGED, known)]
            known.returns += 1
            return [IncidentChange(Became.FLAPPING if known.returns >= FLAPS else Became.RETURNED, known)]
        self._numbers += 1
        since = now if finding.since is None else finding.since
        self._incidents[key] = Incident(self._numbers, finding, since, now, now)
        return [IncidentChange(Became.OPENED, self._incidents[key])]

    def _of_two_ways(self, finding: Finding) -> bool:
        """Whether it is one way of a part that is told both ways, and lets some packets through."""
        key = finding.part, finding.subject
        both = self._incidents.get(_of_both_ways(key))
        is_open = both is not None and both.key != key and both.closed is None
        return is_open and finding.loss is not None and finding.loss < HARD

    def _told_otherwise(self, finding: Finding, found: Mapping[IncidentKey, Finding]) -> Incident | None:
        """The incident of the same cause that was explained by another part, which is no longer found: an open one
        first, else the one seen last."""
        same = [other for other in self._incidents.values() if other.key not in found and _one_cause(other, finding)]
        return max(same, key=lambda other: (other.closed is None, other.seen), default=None)

    def _over(self, now: float, incident: Incident, found: Mapping[IncidentKey, Finding]) -> bool:
        """Whether it is gone for long enough, and nothing is about to take its place: looks may be further apart than
        `WELL`."""
        young = [found[key] for key in found if key not in self._incidents or self._incidents[key].closed is not None]
        gone = now - incident.seen >= WELL * _patience(incident.finding)
        return gone and not any(_one_cause(incident, finding) for finding in young)

    def _end(self, incident: Incident, found: Mapping[IncidentKey, Finding]) -> Became:
        """Return how it ended: as part of a wider one, if such a one was opened since it was last seen, or because it
        is well."""
        wider = any(
            other.key in found and other.opened >= incident.seen and _contains(other.finding, incident.finding)
            for other in self.open
        )
        return Became.MERGED if wider else Became.CLOSED

    def _forget_what_is_to_come(self, now: float) -> None:
        """Let nothing have happened after `now`: the clock was set back, or this casebook's predecessor had another."""
        for incident in self._incidents.values():
            incident.seen = min(incident.seen, now + RESUMED)
            if incident.closed is not None:
                incident.closed = min(incident.closed, now)

    def _forget(self, now: float) -> None:
        closed = sorted(
            (incident.closed, key) for key, incident in self._incidents.items() if incident.closed is not None
        )
        surplus = len(self._incidents) - _MOST
        for index, (at, key) in enumerate(closed):
            if index < surplus or now - at > SAME:
                del self._incidents[key]


def _is_told(verdict: Verdict, incident: Incident) -> bool:
    """Return whether a verdict that does not name what an incident is about speaks against it: it tells whether the
    network is healthy, or it would but for members that nobody heard when the incident was seen, either. Where that is
    not known, as after a start, all of these are held to have been unheard: else the incident may never be closed."""
    told = verdict.verdict is not Health.UNKNOWN
    return told or (bool(verdict.unheard) and (incident.unheard is None or verdict.unheard <= incident.unheard))


def _patience(finding: Finding) -> float:
    """Return how many times as long as usual a finding must be gone."""
    if finding.fault == _FULL:
        return _SELDOM_READ
    loss = 1.0 if finding.loss is None else finding.loss
    return max(1.0, _FAINT / max(loss, _FAINT / _MOST_PATIENT))


def _one_cause(incident: Incident, finding: Finding) -> bool:
    """Whether a finding is another explanation of the same cause: it began when the incident did, as far as is known,
    and before that was last seen, and one of them is about what the other is about, or about a part of it. Another
    way of the same part may have begun later, while the incident is open: where loss comes and goes, at times one way
    only is seen to lose."""
    since, before = finding.since, incident.finding
    if since is None:
        began = incident.closed is None
    else:
        way = incident.closed is None and _of_both_ways(incident.key) == _of_both_ways((finding.part, finding.subject))
        began = (way or abs(since - incident.since) <= _SAME_ONSET) and since <= incident.seen
    return began and (_contains(before, finding) or _contains(finding, before))


def _goes_on(before: Finding, finding: Finding, now: float) -> bool:
    """Return whether something was lost since it was found `before`, as far as that is known: what heals is told as it
    was, and not as ever fainter loss. A loss that is still to come was seen by a clock that was set back since."""
    if finding.latest is None or before.latest is None:
        return True
    return finding.latest > before.latest or before.latest > now


def _of_both_ways(key: IncidentKey) -> IncidentKey:
    """The part of which this may be the way in or the way out, and its subject."""
    return both_ways_of(key[0]), key[1]


def _before(finding: Finding, closed: float) -> bool:
    """Whether all that speaks for a finding happened before the incident was closed: as trials age, the same ones may
    look like loss that lasts again."""
    return finding.latest is not None and finding.latest <= closed


def _contains(wide: Finding, narrow: Finding) -> bool:
    """Whether both are about the same place or the same way between two, or the narrow one is about a way into or out
    of what the wide one is about, about nodes that this stands for, or about a way between nodes of its two zones; all
    DNS servers of the cluster contain each."""
    place, within = _way(narrow), _way(wide)
    if place == within or (wide.part == "zone_pair" and [*narrow.zones] == within):
        return True
    if wide.part == "dns_service" and narrow.part in _OF_DNS:
        return True
    return (len(within) == 1 and within[0] in place) or any(end in wide.nodes for end in place)


def _way(finding: Finding) -> list[str]:
    """The place that it is about, or the two ends of a way, in order: two directions are two causes."""
    return finding.subject.partition(" ")[0].split(">")


def settled(verdict: Verdict, casebook: Casebook) -> Verdict:
    """The verdict with the incidents that are open as its findings, and what is not yet stable as remarks. Where it is
    unknown because agents could not be read, heard or trusted, and all was well a few seconds ago, it is good, and
    why it cannot tell is a remark."""
    incidents = casebook.open
    findings = tuple(incident.finding for incident in incidents)
    named = {incident.key for incident in incidents}
    young = [finding for finding in verdict.findings if (finding.part, finding.subject) not in named]
    remarks = tuple(f"not yet certain: {finding.sentence}" for finding in young)
    if findings:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        health, sentence = Health.BAD, findings[0].sentence + more
    elif young:
        health, sentence = Health.UNKNOWN, f"cannot tell yet: {young[0].sentence}"
    elif verdict.blind and (well := casebook.believed_well(verdict.at)):
        health, sentence = Health.GOOD, well
    else:
        health, sentence = verdict.verdict, verdict.sentence
    return msgspec.structs.replace(
        verdict, verdict=health, sentence=sentence, findings=findings, unknown=remarks + verdict.unknown, blind=False
    )
