"""Everything that a collector knows of all agents: who reports, what of, and who is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated

import msgspec

from kubesonar.core.telemetry.reports.level_sums import LevelSums
from kubesonar.core.telemetry.reports.mirror import Mirror
from kubesonar.core.telemetry.reports.report import REPORT_SCHEMA, Receipt, Report, digest_of
from kubesonar.core.telemetry.reports.short_history import ShortHistory
from kubesonar.model import Member, Roster, Seconds, Snapshot

LATE = 2.0
"""Intervals without a report after which an agent counts as missing. Fewer, and a report that is sent again makes its
agent missing for a moment; more, and one agent that is cut off holds up the judgement of all others."""

_GRACE = 0.5
"""Seconds that a report may take beyond that."""

_STATES = 10
"""Members of all rosters together, as many times the agents that are kept: each state of a member counts, and rosters
of different agents lag. Fewer, and in a rollout agents are refused; more, and names that are made up take memory."""

_FORGOTTEN = 600.0
"""Seconds without a report after which an agent that no roster names is forgotten. Less, and the page of a node that
was just deleted is empty; more, and agents that are gone take memory."""


class MirrorOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Reports: how many agents may send them, and how often they should."""

    members: Annotated[
        int, msgspec.Meta(ge=1, le=100_000, description="Most agents whose reports are kept; others are refused.")
    ] = 20_000
    interval: Annotated[
        Seconds, msgspec.Meta(ge=0.5, le=60, description="Time between two reports of one agent, in a small cluster.")
    ] = 2.0
    rate: Annotated[
        float,
        msgspec.Meta(ge=1, le=100_000, description="Most reports a second; beyond, all agents report less often."),
    ] = 500.0


class Collected(msgspec.Struct, frozen=True):
    """The snapshots of all agents up to `at` (Unix seconds of the collector's clock), and why nothing is known of the
    others, by member's name."""

    at: float
    snapshots: list[Snapshot]
    unread: dict[str, str]


class Mirrors:
    """Takes reports in and returns snapshots. Reads no clock: `now` is Unix seconds. `taken` counts the reports that
    were taken; `history` is what they told of the last day, by the minute, `levels` the sums of what they counted. With
    `edges` False only what receipts need is kept of them, and snapshots have none."""

    def __init__(self, options: MirrorOptions, *, edges: bool = True) -> None:
        self.taken = 0
        self._keeps_edges = edges
        self.history = ShortHistory()
        self.levels = LevelSums()
        self._options = options
        self._mirrors: dict[str, Mirror] = {}
        self._rosters: dict[str, Roster] = {}
        self._nodes: dict[str, dict[str, str]] = {}
        self._shared: dict[Member, Member] = {}

    def __len__(self) -> int:
        return len(self._mirrors)

    @property
    def interval(self) -> float:
        """Seconds between two reports of one agent: more where there are many agents."""
        return max(self._options.interval, len(self._mirrors) / self._options.rate)

    def take(self, report: Report, now: float) -> Receipt | str:
        """Take a report and return its receipt, or a sentence that says why it is not taken. One of an earlier life is
        not while the later one reports; after that fell silent, it is of a life whose clock was set back before."""
        identity, epoch = report.head.member.identity, report.head.member.epoch
        mirror = self._mirrors.get(identity)
        if mirror is not None and epoch < mirror.member.epoch and not self._late(mirror, now):
            return f"{report.head.member.name} has started again since: this report is of an earlier life"
        if report.roster is not None:
            if digest_of(report.roster) != report.digest:
                return "roster: expected the one that digest stands for"
            if refusal := self._keep_roster(report.digest, report.roster):
                return refusal
        if mirror is None or epoch != mirror.member.epoch:
            if mirror is None and len(self._mirrors) >= self._options.members:
                return f"the collector keeps at most {self._options.members} agents (reports.members)"
            mirror = self._mirrors[identity] = Mirror(report, now, edges=self._keeps_edges)
        roster = self._rosters.get(report.digest)
        fresh = mirror.take(report, roster or Roster("", ()), now)
        self.taken += 1
        if report.levels is not None:
            self.levels.take(identity, epoch, report.head.at - report.head.started, report.levels, now)
        if fresh and roster is not None:
            self.history.add(report.head.member, self._nodes[report.digest], fresh, mirror.behind, now)
        return Receipt(REPORT_SCHEMA, mirror.sequence, self.interval, whole=fresh is None, roster=roster is None)

    def begin_anew(self) -> None:
        """Forget all agents and rosters, so that each of them is asked for all it knows."""
        self._mirrors.clear()
        self._rosters.clear()

    def ask_again(self, identity: str) -> None:
        """Ask that agent for all it knows, and for its roster, with its next receipt."""
        mirror = self._mirrors.get(identity)
        if mirror is not None:
            mirror.sequence = 0
            self._rosters.pop(mirror.report.digest, None)

    def collected(self, now: float) -> Collected:
        """Return what can be judged at `now`: all agents as of the oldest of their last reports, so that what one end
        of a path has not yet reported counts for neither, and who is missing."""
        unread = self.unread(now)
        current = [mirror for mirror in self._mirrors.values() if not self._late(mirror, now)]
        at = min((mirror.seen for mirror in current), default=now)
        return Collected(at, [mirror.snapshot(at) for mirror in current], unread)

    def unread(self, now: float) -> dict[str, str]:
        """Return who is missing at `now` or heard in part only, and why, by member's name."""
        self._forget(now)
        late = (mirror for mirror in self._mirrors.values() if self._late(mirror, now))
        unread = {mirror.member.name: f"it has not reported for {now - mirror.seen:.0f} s" for mirror in late}
        reporting = {mirror.member.identity for mirror in self._mirrors.values()}
        names = {mirror.member.name for mirror in self._mirrors.values()}
        for member in self.members():
            ids = {member.identity, *member.aliases}
            if member.name not in names and not ids & reporting:
                unread.setdefault(member.name, "it has not reported yet")
        return unread | {
            mirror.member.name: f"only small packets get through to the collector, not a report of "
            f"{mirror.report.withheld} bytes"
            for mirror in self._mirrors.values()
            if mirror.report.withheld
        }

    def members(self) -> Iterator[Member]:
        """Return the members that the rosters of agents name, each once for each state it is in."""
        yield from dict.fromkeys(member for roster in self._rosters.values() for member in roster.members)

    def all(self) -> Collection[Mirror]:
        """Return the mirrors of all agents that ever reported and are not forgotten."""
        return self._mirrors.values()

    def mirror(self, name: str) -> Mirror | None:
        """Return the mirror of the member of that name, None where it never reported."""
        return next((one for one in self._mirrors.values() if one.member.name == name), None)

    @property
    def dropped(self) -> int:
        """Trials that agents forgot before they could report them."""
        return sum(mirror.report.dropped for mirror in self._mirrors.values())

    def _late(self, mirror: Mirror, now: float) -> bool:
        return now - mirror.seen > LATE * self.interval + _GRACE

    def _keep_roster(self, digest: str, roster: Roster) -> str:
        """Keep a roster, with members shared among all that hold equal ones, and forget those that nobody uses. Return
        why it is not kept, empty where it is."""
        most = _STATES * self._options.members
        if len(roster.members) > most:
            return f"roster: expected at most {most} members, got {len(roster.members)}"
        used = {mirror.report.digest for mirror in self._mirrors.values()}
        self._rosters = {known: kept for known, kept in self._rosters.items() if known in used}
        self._shared = {member: member for kept in self._rosters.values() for member in kept.members}
        if len(self._shared.keys() | set(roster.members)) > most:
            return f"roster: the collector keeps at most {most} members (agents.members)"
        members = tuple(self._shared.setdefault(member, member) for member in roster.members)
        self._rosters[digest] = msgspec.structs.replace(roster, members=members)
        self._nodes = {known: self._nodes[known] for known in self._rosters if known in self._nodes}
        self._nodes[digest] = {member.name: member.node for member in members}
        return ""

    def _forget(self, now: float) -> None:
        for mirror in self._mirrors.values():
            mirror.not_after(now)
        old = [identity for identity, mirror in self._mirrors.items() if now - mirror.seen > _FORGOTTEN]
        named = {id for member in self.members() for id in (member.identity, *member.aliases)} if old else set()
        for identity in old:
            if identity not in named:
                del self._mirrors[identity]
                self.levels.forget(identity)
