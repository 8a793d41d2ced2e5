"""The bully algorithm of one pod: who is the coordinator, and which peers does it call dead.

Every so often, and as soon as its coordinator falls silent, a pod asks the peers that outrank it. If none answers it
is the coordinator: it says so to all, watches them, and calls dead who no longer answers. A machine (core/machine.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from kubesonar.compat.knh.identity import Peer, outranks
from kubesonar.compat.knh.peer_state import Errand, PeerState, Timing, Watchlist
from kubesonar.compat.knh.signals import (
    Action,
    Answered,
    AskSanity,
    Call,
    Elected,
    Event,
    Heard,
    Listed,
    Sane,
    TellCluster,
    TellPeer,
)

WATCH = 2.0
"""Seconds between two calls to a peer that answers, while the coordinator has less than `WATCH * RATE` of them."""

RATE = 50.0
"""Most calls a second by which a coordinator watches its peers."""

_AT_ONCE = 3
"""Peers that are asked at once in an election."""

DEAD_SAID = 100
"""Most dead peers that an announcement names."""


class Bully:
    """The machine of the pod `own`. Without `checks` there is no sanity check."""

    def __init__(self, own: Peer, timing: Timing, *, checks: bool) -> None:
        self.own = own
        self.coordinator = ""
        self._timing = timing
        self._checks = checks
        self._list = Watchlist()
        self._election: float | None = None
        self._asking = False
        self._superiors: list[PeerState] = []
        self._round = False
        self._doomed: dict[str, PeerState] = {}
        self._doubted: list[PeerState] | None = None
        self._sick = False

    @property
    def leads(self) -> bool:
        """Whether this pod is the coordinator."""
        return self.coordinator == self.own.id

    @property
    def due(self) -> float | None:
        """When the next call or election is due."""
        due = self._list.due
        if self._election is None or self._asking or self._round:
            return due
        return self._election if due is None else min(due, self._election)

    def believes(self, id: str, ip: str) -> bool:
        """Whether the peer of that id is at that address."""
        return any(watched.peer.id == id and watched.peer.ip == ip for watched in self._peers)

    def step(self, now: float, event: Event | None = None) -> list[Action]:
        """What to do now."""
        before = self.coordinator
        actions = [*self._take(now, event), *self._pass(now)]
        if self.coordinator != before:
            actions.insert(0, Elected(self.coordinator))
        return actions

    def _take(self, now: float, event: Event | None) -> Iterator[Action]:
        if isinstance(event, Listed):
            self._take_over(now, event)
        elif isinstance(event, Heard):
            self._hear(now, event)
        elif isinstance(event, Answered):
            yield from self._answer(now, event)
        elif isinstance(event, Sane):
            yield from self._judge(now, event.well)

    def _pass(self, now: float) -> Iterator[Action]:
        """What follows from the time and from what just happened."""
        if self._election is not None and self._election <= now and not self._asking and not self._round:
            self._ask(now)
        if self._asking:
            self._ask_more(now)
        if self._doomed and self._doubted is None:
            self._doubted, self._doomed = list(self._doomed.values()), {}
            if self._checks:
                yield AskSanity()
            else:
                yield from self._judge(now, well=True)
        yield from self._end_round(now)
        for watched in self._list.ready(now):
            yield self._call(watched)

    def _take_over(self, now: float, event: Listed) -> None:
        if event.myself and self._election is None:
            self._election = now + self._timing.election_pause
        self._list.replace(now, event.peers)
        gone = self.coordinator and not self.leads and not any(peer.id == self.coordinator for peer in event.peers)
        if gone:
            self.coordinator = ""
            self._soon(now)

    def _hear(self, now: float, event: Heard) -> None:
        for watched in self._peers:
            watched.told = watched.peer.id in event.dead
        if outranks(event.id, self.own.id):
            self._follow(now, event.id)
        elif not self.leads:
            self._soon(now)

    def _answer(self, now: float, event: Answered) -> Iterator[Action]:
        watched = self._list.ended(event.number)
        if watched is None:
            return
        if event.well:
            yield from self._well(now, watched)
        else:
            self._failed(now, watched)

    def _well(self, now: float, watched: PeerState) -> Iterator[Action]:
        returned = watched.alive is False
        watched.answered()
        watched.alive = True
        if returned and self.leads:
            yield TellPeer(watched.peer, alive=True)
        if watched.errand is Errand.ANNOUNCE and not watched.announces:
            return  # it answered something else: the announcement is still due
        asked, joined = watched.errand is Errand.ASK, watched.errand is Errand.JOIN
        self._settle(now, watched)
        if joined and self.leads:
            self._list.begin(watched, Errand.ANNOUNCE, now)
        if asked and self._asking:
            self._follow(now, self.coordinator if self._may_stay() else watched.peer.id)

    def _may_stay(self) -> bool:
        """Whether the coordinator we know outranks us and has not just fallen silent."""
        known = next((watched for watched in self._peers if watched.peer.id == self.coordinator), None)
        return known is not None and not known.doubtful and outranks(self.coordinator, self.own.id)

    def _failed(self, now: float, watched: PeerState) -> None:
        if watched.errand is Errand.NONE:
            return None
        watched.tries += 1
        joins = watched.errand is Errand.JOIN
        if watched.tries < watched.limit(self._timing):
            pause = self._timing.connect_pause if joins else self._timing.send_pause
            return self._list.wait(watched, now + pause)
        if joins:
            self._list.begin(watched, Errand.JOIN, now + self._timing.election_pause)
        elif self.leads and watched.alive:
            self._list.begin(watched, Errand.NONE, None)
            self._doomed[watched.peer.address] = watched
        elif self.leads:
            self._settle(now, watched)
        else:
            watched.doubtful = True
            if watched.errand is Errand.WATCH:
                self._soon(now)
            self._list.begin(watched, Errand.NONE, None)
        return None

    def _judge(self, now: float, well: bool) -> Iterator[Action]:
        """Of the peers that failed all their tries: dead if we are well ourselves."""
        doubted, self._doubted = self._doubted or [], None
        self._sick = self._sick or not well
        for watched in doubted:
            if self.leads and self._list.peers.get(watched.peer.address) is watched and watched.errand is Errand.NONE:
                if well:
                    watched.alive = False
                    if not watched.told:
                        yield TellPeer(watched.peer, alive=False)
                self._settle(now, watched)

    def _ask(self, now: float) -> None:
        """Begins an election."""
        self._asking = True
        self._superiors = [w for w in self._peers if outranks(w.peer.id, self.own.id)]
        self._superiors.sort(key=lambda w: (w.peer.id == self.coordinator and not w.doubtful, w.peer.id.encode()))
        self._ask_more(now)

    def _ask_more(self, now: float) -> None:
        """Asks the next few that outrank us, the coordinator first: all at once would be calls by the square."""
        while self._superiors and not self._list.busy(Errand.ASK):
            for watched in [self._superiors.pop() for _ in range(min(_AT_ONCE, len(self._superiors)))]:
                if self._list.peers.get(watched.peer.address) is watched:
                    self._list.begin(watched, Errand.ASK, now)
        if not self._list.busy(Errand.ASK):
            self._win(now)

    def _win(self, now: float) -> None:
        self._asking, self._round, self._sick = False, True, False
        self.coordinator = self.own.id
        in_doubt = {*self._doomed, *(watched.peer.address for watched in self._doubted or ())}
        for watched in self._peers:
            if watched.peer.address not in in_doubt:
                tries = watched.tries if watched.errand is Errand.WATCH else 0
                self._list.begin(watched, Errand.ANNOUNCE, now, tries)

    def _end_round(self, now: float) -> Iterator[Action]:
        busy = self._doomed or self._doubted is not None
        if self._round and not busy and not self._list.busy(Errand.ANNOUNCE):
            self._round = False
            self._election = now + self._timing.election_pause
            if not self._sick:
                yield TellCluster(tuple((w.peer, w.alive) for w in self._peers if w.alive is not None))

    def _follow(self, now: float, id: str) -> None:
        """Somebody who outranks us is there."""
        if self._asking or self._round:
            self._election = now + self._timing.election_pause
        self._asking = self._round = False
        self._doomed = {}
        self.coordinator = id
        for watched in self._peers:
            if watched.errand is not Errand.JOIN and not (watched.errand is Errand.WATCH and watched.peer.id == id):
                self._settle(now, watched)

    def _settle(self, now: float, watched: PeerState) -> None:
        """Back to what it is called for between elections."""
        if self.leads or watched.peer.id == self.coordinator:
            self._list.begin(watched, Errand.WATCH, now + max(WATCH, len(self._peers) / RATE))
        elif watched.alive is None:
            self._list.begin(watched, Errand.JOIN, now + self._timing.election_pause)
        else:
            self._list.begin(watched, Errand.NONE, None)

    def _soon(self, now: float) -> None:
        """An election is due at once; one that runs will do."""
        if self._election is not None:
            self._election = min(self._election, now)

    def _call(self, watched: PeerState) -> Call:
        number = self._list.call(watched)
        dead = (other.peer.id for other in self._peers if other.alive is False) if watched.announces else ()
        return Call(number, watched.peer, watched.announces, tuple(islice(dead, DEAD_SAID)))

    @property
    def _peers(self) -> Collection[PeerState]:
        return self._list.peers.values()
