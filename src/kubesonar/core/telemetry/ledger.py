"""The memory of one member: per edge the latest observation and what `trial_memory` keeps of it, bounded in size."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Annotated

import msgspec

from kubesonar.core.telemetry.instruments import Instrument
from kubesonar.core.telemetry.trial_memory import PAST, TrialMemory
from kubesonar.core.telemetry.usual import UsualTime, time_taken
from kubesonar.model import (
    SCHEMA,
    Check,
    Edge,
    Health,
    Member,
    Observation,
    Roster,
    Seconds,
    Side,
    Snapshot,
    Trial,
    Trouble,
    Window,
)

_TROUBLES = 32
"""Troubles kept; fewer, and the diagnosis would hold an older stretch against the network."""

_RESPONDER_SHARE = 4
"""Edges of members that probe this one take at most 1/4 of the room: lower, and strangers, who can forge any number of
them, could fill more of it; higher, and large rings would lose one-way counts."""


EdgeKey = tuple[Side, str]
"""The key of an edge in one ledger: whose counts it holds, and the id of its check."""


class RecentEdge(msgspec.Struct, frozen=True):
    """An edge with its newest trials and minutes only; `trials` is how many trials are kept of it in all, `oldest` the
    beginning of the oldest minute that is remembered (Unix seconds, 0: none is)."""

    edge: Edge
    trials: int
    oldest: float


class LedgerOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The length of a member's memory, and how much it holds."""

    short: Annotated[Seconds, msgspec.Meta(ge=1, le=600, description="The short window, for hard faults.")] = 10.0
    long: Annotated[Seconds, msgspec.Meta(ge=5, le=3600, description="The long window, for grey loss.")] = 60.0
    edges: Annotated[
        int, msgspec.Meta(ge=16, le=100_000, description="Most edges kept; observations of further ones are dropped.")
    ] = 8192
    trials: Annotated[
        int, msgspec.Meta(ge=16, le=4096, description="Most trials kept of one edge; the oldest are dropped first.")
    ] = 256


_WELL_AGAIN = 3
"""Good trials in a row that end a stretch of bad ones. Fewer, and a lossy way seems to have begun just now; more, and
two faults are one."""


def _lossy(observation: Observation) -> bool:
    return observation.fault is None and 0 < observation.received < observation.sent


class _Kept:
    __slots__ = ("bad_since", "good", "latest", "memory", "usual")

    def __init__(self, latest: Observation, options: LedgerOptions) -> None:
        self.latest = latest
        self.usual = UsualTime()
        self.bad_since: float | None = None
        self.good = 0
        self.memory = TrialMemory(options.long, options.trials)

    def judged(self, observation: Observation) -> None:
        """Note since when trials are bad, with no more than a few good ones in a row between them."""
        health = observation.health
        if health is Health.BAD or (observation.side is Side.SOURCE and _lossy(observation)):
            self.good = 0
            if self.bad_since is None:
                self.bad_since = observation.at
        elif health is Health.GOOD:
            self.good += 1
            if self.good >= _WELL_AGAIN:
                self.bad_since = None


class Ledger:
    """Takes observations, rosters and what else this member learns; returns snapshots of all of it. Not thread-safe;
    reads no clock. `dropped` counts observations for which there was no room."""

    def __init__(self, member: Member, started: float, options: LedgerOptions) -> None:
        self.dropped = 0
        self._member = member
        self._roster = Roster("", ())
        self._excused: frozenset[str] = frozenset()
        self._lacks: tuple[str, ...] = ()
        self._coordinator = ""
        self._started = started
        self._options = options
        self._probed: dict[str, _Kept] = {}
        self._asked: dict[str, _Kept] = {}
        self._instruments: list[Instrument] = []
        self._troubles: deque[Trouble] = deque(maxlen=_TROUBLES)

    @property
    def member(self) -> Member:
        """This member, as the roster has it once it names it."""
        return self._member

    @property
    def roster(self) -> Roster:
        """The roster in force."""
        return self._roster

    @property
    def lacks(self) -> tuple[str, ...]:
        """A sentence for each thing that this member cannot check, and why."""
        return self._lacks

    def rename(self, name: str) -> None:
        """Go by this name from now on: the roster has it for this member."""
        self._member = msgspec.structs.replace(self._member, name=name)

    def roster_changed(self, roster: Roster) -> list[str]:
        """Put `roster` into force. This member becomes what the roster says of its name, with its own epoch. Return a
        sentence for each thing in which the two differ: others go by the roster, so whoever wrote it should know."""
        self._roster = roster
        self._excused = frozenset(member.name for member in roster.members if not member.expected)
        me, named = self._member, roster.named(self._member.name)
        if named is None:
            nobody = "the roster does not name this member: nobody can tell whose trains its own are"
            return [nobody] if roster.members else []
        self._member = msgspec.structs.replace(named, epoch=me.epoch)
        return [
            f"the roster contradicts member.{field}: {getattr(named, field)} instead of {getattr(me, field)}"
            for field in ("network", "port")
            if getattr(named, field) != getattr(me, field)
        ]

    @property
    def coordinator(self) -> str:
        """The name of the elected coordinator, empty while there is none."""
        return self._coordinator

    def elected(self, coordinator: str) -> None:
        """Note who coordinates; empty: nobody."""
        self._coordinator = coordinator

    def cannot_check(self, lacks: tuple[str, ...]) -> None:
        """Replace `lacks`."""
        self._lacks = lacks

    def register(self, instrument: Instrument) -> None:
        """Pass every observation from now on to `instrument`."""
        self._instruments.append(instrument)

    def add(self, observation: Observation) -> None:
        """Take one observation in; one of an edge beyond the bound is counted in `dropped` (instruments see it)."""
        for instrument in self._instruments:
            instrument.add(observation)
        edges = self._asked if observation.side is Side.RESPONDER else self._probed
        kept = edges.get(observation.check.id)
        if kept is None:
            if not self._room(observation.side):
                self.dropped += 1
                return
            kept = edges[observation.check.id] = _Kept(observation, self._options)
        kept.latest = observation
        kept.judged(observation)
        took = time_taken(observation) if observation.side is Side.SOURCE else 0.0
        excused = bool(self._excused) and not self._excused.isdisjoint((observation.check.target, self._member.name))
        kept.memory.add(
            observation,
            slow=took > 0 and kept.usual.slow(took),
            excused=excused,
            troubles=self._troubles,
        )

    def retain(self, checks: Collection[Check], now: float) -> None:
        """Forget the edges of checks that are no longer made, and edges of members that have not probed this one for a
        long window (or that seem to have done so in the future: the wall clock was set back)."""
        ids = {check.id for check in checks}
        long = self._options.long
        self._probed = {name: kept for name, kept in self._probed.items() if name in ids}
        self._asked = {name: kept for name, kept in self._asked.items() if abs(now - kept.latest.at) <= long}

    def trouble(self, trouble: Trouble) -> None:
        """Keep a period in which this member could not be trusted; it replaces the last one where `since` is equal."""
        if self._troubles and self._troubles[-1].since == trouble.since:
            self._troubles.pop()
        self._troubles.append(trouble)

    @property
    def troubles(self) -> Collection[Trouble]:
        """The latest 32 troubles of this member, oldest first; the last may still be open."""
        return self._troubles

    def snapshot(self, now: float, *, trials: bool = True) -> Snapshot:
        """Return all that is known at `now` (Unix seconds). Metrics need it without `trials`, small and cheap."""
        edges = tuple(self._edge(kept, now, trials) for kept in self._edges())
        return msgspec.structs.replace(self.head(now), edges=edges)

    def head(self, now: float) -> Snapshot:
        """Return what is known at `now` (Unix seconds) without the edges."""
        horizon = now - max(self._options.long, PAST)
        return Snapshot(
            schema=SCHEMA,
            member=self._member,
            at=now,
            started=self._started,
            roster=self._roster,
            troubles=tuple(t for t in self._troubles if t.until is None or t.until >= horizon),
            coordinator=self._coordinator,
            lacks=self._lacks,
        )

    def keys(self) -> set[EdgeKey]:
        """Return the side and the check's id of every edge."""
        probed = ((Side.SOURCE, id) for id in self._probed)
        return {*probed, *((Side.RESPONDER, id) for id in self._asked)}

    def recent(self, key: EdgeKey, now: float, trials: int, since: float) -> RecentEdge | None:
        """Return an edge with its last `trials` trials, the minutes from `since` on (Unix seconds), and windows without
        sums; None where there is no such edge."""
        kept = (self._asked if key[0] is Side.RESPONDER else self._probed).get(key[1])
        if kept is None:
            return None
        edge = Edge(
            latest=kept.latest,
            short=Window(self._options.short),
            long=Window(self._options.long),
            usual=kept.usual.seconds if kept.usual.known else 0.0,
            bad_since=kept.bad_since,
            trials=tuple(kept.memory.trials(trials)),
            past=kept.memory.minutes(now, since),
        )
        return RecentEdge(edge, len(kept.memory), kept.memory.oldest(now))

    def latest(self) -> Iterator[Observation]:
        """Return the latest observation of every edge."""
        return (kept.latest for kept in self._edges())

    def _edges(self) -> Iterator[_Kept]:
        return chain(self._probed.values(), self._asked.values())

    def _room(self, side: Side) -> bool:
        """Whether one more edge fits. An edge that this member probes replaces one of a member that probes it."""
        full = len(self._probed) + len(self._asked) >= self._options.edges
        if side is Side.RESPONDER:
            return not full and len(self._asked) < self._options.edges // _RESPONDER_SHARE
        if full and self._asked:
            del self._asked[next(iter(self._asked))]
            self.dropped += 1
            return True
        return not full

    def _edge(self, kept: _Kept, now: float, with_trials: bool) -> Edge:
        trials = kept.memory.trials()
        return Edge(
            latest=kept.latest,
            short=window(trials, now, self._options.short),
            long=window(trials, now, self._options.long),
            usual=kept.usual.seconds if kept.usual.known else 0.0,
            bad_since=kept.bad_since,
            trials=tuple(trials) if with_trials else (),
            past=kept.memory.minutes(now) if with_trials else (),
        )


def window(trials: Sequence[Trial], now: float, span: float) -> Window:
    """Return the sums over the trials that began within the last `span` seconds."""
    return window_of([trial for trial in trials if now - span <= trial.at <= now], span)


def window_of(recent: Sequence[Trial], span: float) -> Window:
    """Return the sums over these trials, which are those of a window of `span` seconds."""
    failed = unknown = sent = received = timed = 0
    rtts = 0.0
    for trial in recent:
        if trial.fault is not None or not trial.received:  # else it is good, as most are
            if trial.health is Health.UNKNOWN:
                unknown += 1
                continue
            failed += 1
        sent += trial.sent
        received += trial.received
        if trial.rtt:
            rtts += trial.rtt
            timed += 1
    return Window(
        span=span,
        observations=len(recent),
        failed=failed,
        unknown=unknown,
        sent=sent,
        received=received,
        rtt_mean=rtts / timed if timed else 0.0,
    )
