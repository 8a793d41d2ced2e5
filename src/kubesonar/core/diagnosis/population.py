"""Decides who counts when a verdict is formed: which members are expected to answer, whose view could be read, when a
member could not be trusted, and how its clock stands to ours."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from kubesonar.core.diagnosis.parts.traversal import End
from kubesonar.core.diagnosis.roster_agreement import agree_on_members
from kubesonar.model import Health, Member, Roster, Snapshot, State

TROUBLE_MARGIN = 1.0
"""Seconds before and after a member's own trouble, or after its start, in which it is not trusted either."""

AFRESH = 10.0
"""Seconds of trouble after which a member begins afresh: what it saw before is old, and if that was cured meanwhile,
the trials which would have shown it do not count. Fewer, and a member that is often starved forgets faults that go on;
more, and a fault that is gone is told again after the trouble."""

CLOCK_OFF = 5.0
"""A member whose clock differs by more than this (s) is mentioned; its trials are shifted to our clock all the same."""

Interval = tuple[float, float]


class Population(msgspec.Struct, frozen=True):
    """`members` are all that any roster names, `expected` those that must answer, `excused` why the others need not.
    `read` are the usable snapshots by member, `blind` the stretches (our clock) in which a member is not trusted,
    `zones` those of the nodes, `disagreements` what rosters say differently for longer than they may lag."""

    now: float
    members: dict[str, Member]
    expected: frozenset[str]
    excused: dict[str, str]
    read: dict[str, Snapshot]
    blind: dict[str, list[Interval]]
    zones: dict[str, str]
    disagreements: tuple[str, ...] = ()

    def offset(self, name: str) -> float:
        """Return what to add to that member's times to have ours. A snapshot is read just before it is judged, so a
        difference is that of the clocks."""
        return self.now - self.read[name].at

    def unborn(self, name: str) -> list[Interval]:
        """Return the time before that member started, when nobody may have had its address; none where it was not
        read."""
        return _unborn(self.read[name], self.offset(name)) if name in self.read else []

    def end(self, name: str) -> End:
        """Return that member, or else a plain target that nothing is known of, as an end of a path."""
        member = self.members.get(name)
        return End(name) if member is None else End(name, member.node, member.zone, member.network)

    def target(self, name: str, node: str) -> End:
        """Return that member, or else a plain target that runs on that node (empty: not known where)."""
        return self.end(name) if name in self.members or not node else End(name, node, self.zones.get(node, ""))


def standing(snapshots: Sequence[Snapshot], unread: Mapping[str, str], now: float) -> Population:
    """Weighs the snapshots; one of a member that is also `unread` is from earlier and does not count. The time by which
    all is judged is that of the newest snapshot, so that the time reading took counts as nobody's."""
    read = {snapshot.member.name: snapshot for snapshot in snapshots if snapshot.member.name not in unread}
    now -= max(0.0, min((now - snapshot.at for snapshot in read.values()), default=0.0))
    rosters = {name: snapshot.roster for name, snapshot in read.items()}
    fresh = {name: roster for name, roster in rosters.items() if not roster.stale} or rosters
    agreed = agree_on_members(fresh, {name: now - read[name].at for name in fresh}, now)
    members, excused = agreed.members, dict(agreed.excused)
    for name in _started(fresh.values(), read.values()):
        excused.pop(name, None)
    return Population(
        now=now,
        members=members,
        expected=frozenset(members) - frozenset(excused),
        excused=excused,
        read=read,
        blind={name: _blind(snapshot, now - snapshot.at) for name, snapshot in read.items()},
        zones={member.node: member.zone for member in members.values()},
        disagreements=agreed.disagreements,
    )


def _started(rosters: Iterable[Roster], snapshots: Collection[Snapshot]) -> Iterator[str]:
    """Yield those that only count as starting, and have started: another roster says so, or they have answered."""
    states: dict[str, set[State]] = {}
    starting: dict[str, Member] = {}
    distinct = {id(roster.members): roster for roster in rosters}
    for member in (member for roster in distinct.values() for member in roster.members):
        states.setdefault(member.name, set()).add(member.state)
        if member.state is State.STARTING:
            starting[member.name] = member
    for name, member in starting.items():
        if states[name] <= _STARTED and (len(states[name]) > 1 or _has_answered(member, snapshots)):
            yield name


def _has_answered(member: Member, snapshots: Iterable[Snapshot]) -> bool:
    """Whether this member has answered anybody, as far as these snapshots reach back."""
    return any(
        trial.health is Health.GOOD
        for snapshot in snapshots
        for edge in snapshot.edges
        if edge.latest.check.target == member.name
        and edge.latest.check.kind.by_agent
        and edge.latest.check.address in member.addresses
        for trial in edge.trials
    )


_STARTED = frozenset({State.STARTING, State.SERVING, State.NOT_READY})


def _unborn(snapshot: Snapshot, offset: float) -> list[Interval]:
    return [(0.0, snapshot.started + offset + TROUBLE_MARGIN)]


def _blind(snapshot: Snapshot, offset: float) -> list[Interval]:
    spans = _unborn(snapshot, offset)
    for trouble in snapshot.troubles:
        until = float("inf") if trouble.until is None else trouble.until + offset + TROUBLE_MARGIN
        afresh = (trouble.until or snapshot.at) - trouble.since > AFRESH
        spans.append((0.0 if afresh else trouble.since + offset - TROUBLE_MARGIN, until))
    return spans
