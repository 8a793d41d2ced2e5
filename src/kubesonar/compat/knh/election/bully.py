"""The bully election of one pod, and the detection of dead peers by its coordinator: a machine (core/machine.py).

After every election pause, and as soon as its coordinator does not answer, a pod calls the peers that outrank it. If
none answers, the pod is the coordinator: it announces that to all peers, calls each of them again and again, and
reports those dead that no longer answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from kubesonar.compat.knh.election.events import (
    BullyAction,
    BullyEvent,
    Call,
    CallEnded,
    CheckSanity,
    CoordinatorChanged,
    CoordinatorClaim,
    NotifyCluster,
    NotifyPeer,
    PeersListed,
    SanityResult,
)
from kubesonar.compat.knh.election.identity import Peer, outranks
from kubesonar.compat.knh.election.peer_state import PeerState, PeerTable, Purpose, Timing

WATCH = 2.0
"""Seconds between two calls to a peer, while the coordinator has at most `WATCH * RATE` peers. Longer: deaths are
noticed later; shorter: more calls."""

RATE = 50.0
"""Most calls a second to watch peers; with more peers each is called less often."""

_AT_ONCE = 3
"""Higher-ranked peers that are called at once in an election; more: elections of n pods cost up to n² calls."""

MAX_DEAD = 100
"""Most dead peers that an announcement names; beyond, a new coordinator may report a death again."""


class Bully:
    """The machine of the pod `own`. `checks`: the outcome of a sanity check is awaited before peers are reported
    dead."""

    def __init__(self, own: Peer, timing: Timing, *, checks: bool) -> None:
        self.own = own
        self.coordinator = ""
        self._timing = timing
        self._checks = checks
        self._list = PeerTable()
        self._election: float | None = None
        self._electing = False
        self._higher: list[PeerState] = []
        self._announcing = False
        self._failing: dict[str, PeerState] = {}
        self._in_doubt: list[PeerState] | None = None
        self._sanity_failed = False

    @property
    def leads(self) -> bool:
        """Whether this pod is the coordinator."""
        return self.coordinator == self.own.id

    @property
    def due(self) -> float | None:
        """Time of the next call or election; None where nothing is due."""
        due = self._list.due
        if self._election is None or self._electing or self._announcing:
            return due
        return self._election if due is None else min(due, self._election)

    def knows(self, id: str, ip: str) -> bool:
        """Whether a peer of that id has that address."""
        return any(watched.peer.id == id and watched.peer.ip == ip for watched in self._peers)

    def step(self, now: float, event: BullyEvent | None = None) -> list[BullyAction]:
        """Take an event, or let time pass, and return what to do."""
        before = self.coordinator
        actions = [*self._take(now, event), *self._pass(now)]
        if self.coordinator != before:
            actions.insert(0, CoordinatorChanged(self.coordinator))
        return actions

    def _take(self, now: float, event: BullyEvent | None) -> Iterator[BullyAction]:
        if isinstance(event, PeersListed):
            self._take_over(now, event)
        elif isinstance(event, CoordinatorClaim):
            self._hear(now, event)
        elif isinstance(event, CallEnded):
            yield from self._answer(now, event)
        elif isinstance(event, SanityResult):
            yield from self._judge(now, event.well)

    def _pass(self, now: float) -> Iterator[BullyAction]:
        """Yield what follows from the present time and state."""
        if self._election is not None and self._election <= now and not self._electing and not self._announcing:
            self._ask(now)
        if self._electing:
            self._ask_more(now)
        if self._failing and self._in_doubt is None:
            self._in_doubt, self._failing = list(self._failing.values()), {}
            if self._checks:
                yield CheckSanity()
            else:
                yield from self._judge(now, well=True)
        yield from self._end_round(now)
        for watched in self._list.ready(now):
            yield self._call(watched)

    def _take_over(self, now: float, event: PeersListed) -> None:
        if event.myself and self._election is None:
            self._election = now + self._timing.election_pause
        self._list.replace(now, event.peers)
        gone = self.coordinator and not self.leads and not any(peer.id == self.coordinator for peer in event.peers)
        if gone:
            self.coordinator = ""
            self._soon(now)

    def _hear(self, now: float, event: CoordinatorClaim) -> None:
        for watched in self._peers:
            watched.reported = watched.peer.id in event.dead
        if outranks(event.id, self.own.id):
            self._follow(now, event.id)
        elif not self.leads:
            self._soon(now)

    def _answer(self, now: float, event: CallEnded) -> Iterator[BullyAction]:
        watched = self._list.ended(event.number)
        if watched is None:
            return
        if event.well:
            yield from self._well(now, watched)
        else:
            self._failed(now, watched)

    def _well(self, now: float, watched: PeerState) -> Iterator[BullyAction]:
        returned = watched.alive is False
        watched.answered()
        watched.alive = True
        if returned and self.leads:
            yield NotifyPeer(watched.peer, alive=True)
        if watched.purpose is Purpose.ANNOUNCE and not watched.announces:
            return  # it answered an earlier call: the announcement is still due
        asked, joined = watched.purpose is Purpose.ASK, watched.purpose is Purpose.JOIN
        self._settle(now, watched)
        if joined and self.leads:
            self._list.begin(watched, Purpose.ANNOUNCE, now)
        if asked and self._electing:
            self._follow(now, self.coordinator if self._may_stay() else watched.peer.id)

    def _may_stay(self) -> bool:
        """Whether the known coordinator outranks this pod and answers."""
        known = next((watched for watched in self._peers if watched.peer.id == self.coordinator), None)
        return known is not None and not known.doubtful and outranks(self.coordinator, self.own.id)

    def _failed(self, now: float, watched: PeerState) -> None:
        if watched.purpose is Purpose.NONE:
            return None
        watched.tries += 1
        joins = watched.purpose is Purpose.JOIN
        if watched.tries < watched.limit(self._timing):
            pause = self._timing.connect_pause if joins else self._timing.send_pause
            return self._list.wait(watched, now + pause)
        if joins:
            self._list.begin(watched, Purpose.JOIN, now + self._timing.election_pause)
        elif self.leads and watched.alive:
            self._list.begin(watched, Purpose.NONE, None)
            self._failing[watched.peer.address] = watched
        elif self.leads:
            self._settle(now, watched)
        else:
            watched.doubtful = True
            if watched.purpose is Purpose.WATCH:
                self._soon(now)
            self._list.begin(watched, Purpose.NONE, None)
        return None

    def _judge(self, now: float, well: bool) -> Iterator[BullyAction]:
        """Report the peers dead that failed all their tries, unless the sanity check failed."""
        doubted, self._in_doubt = self._in_doubt or [], None
        self._sanity_failed = self._sanity_failed or not well
        for watched in doubted:
            if self.leads and self._list.peers.get(watched.peer.address) is watched and watched.purpose is Purpose.NONE:
                if well:
                    watched.alive = False
                    if not watched.reported:
                        yield NotifyPeer(watched.peer, alive=False)
                self._settle(now, watched)

    def _ask(self, now: float) -> None:
        """Begin an election."""
        self._electing = True
        self._higher = [w for w in self._peers if outranks(w.peer.id, self.own.id)]
        self._higher.sort(key=lambda w: (w.peer.id == self.coordinator and not w.doubtful, w.peer.id.encode()))
        self._ask_more(now)

    def _ask_more(self, now: float) -> None:
        """Call the next few peers that outrank this pod, the coordinator first; win where none is left."""
        while self._higher and not self._list.busy(Purpose.ASK):
            for watched in [self._higher.pop() for _ in range(min(_AT_ONCE, len(self._higher)))]:
                if self._list.peers.get(watched.peer.address) is watched:
                    self._list.begin(watched, Purpose.ASK, now)
        if not self._list.busy(Purpose.ASK):
            self._win(now)

    def _win(self, now: float) -> None:
        self._electing, self._announcing, self._sanity_failed = False, True, False
        self.coordinator = self.own.id
        in_doubt = {*self._failing, *(watched.peer.address for watched in self._in_doubt or ())}
        for watched in self._peers:
            if watched.peer.address not in in_doubt:
                tries = watched.tries if watched.purpose is Purpose.WATCH else 0
                self._list.begin(watched, Purpose.ANNOUNCE, now, tries)

    def _end_round(self, now: float) -> Iterator[BullyAction]:
        busy = self._failing or self._in_doubt is not None
        if self._announcing and not busy and not self._list.busy(Purpose.ANNOUNCE):
            self._announcing = False
            self._election = now + self._timing.election_pause
            if not self._sanity_failed:
                yield NotifyCluster(tuple((w.peer, w.alive) for w in self._peers if w.alive is not None))

    def _follow(self, now: float, id: str) -> None:
        """Take the peer of that id, which outranks this pod, as coordinator."""
        if self._electing or self._announcing:
            self._election = now + self._timing.election_pause
        self._electing = self._announcing = False
        self._failing = {}
        self.coordinator = id
        for watched in self._peers:
            if watched.purpose is not Purpose.JOIN and not (watched.purpose is Purpose.WATCH and watched.peer.id == id):
                self._settle(now, watched)

    def _settle(self, now: float, watched: PeerState) -> None:
        """Give the peer the purpose that it has between elections."""
        if self.leads or watched.peer.id == self.coordinator:
            self._list.begin(watched, Purpose.WATCH, now + max(WATCH, len(self._peers) / RATE))
        elif watched.alive is None:
            self._list.begin(watched, Purpose.JOIN, now + self._timing.election_pause)
        else:
            self._list.begin(watched, Purpose.NONE, None)

    def _soon(self, now: float) -> None:
        """Begin an election at once, unless one is running."""
        if self._election is not None:
            self._election = min(self._election, now)

    def _call(self, watched: PeerState) -> Call:
        number = self._list.call(watched)
        dead = (other.peer.id for other in self._peers if other.alive is False) if watched.announces else ()
        return Call(number, watched.peer, watched.announces, tuple(islice(dead, MAX_DEAD)))

    @property
    def _peers(self) -> Collection[PeerState]:
        return self._list.peers.values()
