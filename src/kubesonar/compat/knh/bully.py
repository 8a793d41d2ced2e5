"""The bully algorithm of one pod: who is the coordinator, and which peers does it call dead.

Every so often, and as soon as its coordinator falls silent, a pod asks the peers that outrank it. If none answers it
is the coordinator: it says so to all, watches them, and calls dead who no longer answers. A machine (core/machine.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from kubesonar.compat.knh.identity import Peer, outranks
from kubesonar.compat.knh.watched import Errand, Timing, Watched

WATCH = 2.0
"""Seconds between two calls to a peer that answers, while the coordinator has less than `WATCH * RATE` of them."""

RATE = 50.0
"""Most calls a second by which a coordinator watches its peers."""

DEAD_SAID = 100
"""Most dead peers that an announcement names."""


class Listed(msgspec.Struct, frozen=True):
    """Event: the peers in force, and whether the API has listed ourselves."""

    peers: tuple[Peer, ...]
    myself: bool


class Answered(msgspec.Struct, frozen=True):
    """Event: the call of that number went well, or not."""

    number: int
    well: bool


class Heard(msgspec.Struct, frozen=True):
    """Event: a peer that is believed says that it is the coordinator, and whom it has told dead."""

    id: str
    dead: frozenset[str] = frozenset()


class Sane(msgspec.Struct, frozen=True):
    """Event: the sanity check went well, or not."""

    well: bool


class Call(msgspec.Struct, frozen=True):
    """Action: call the peer, with /coordinator where it `announces`, naming the `dead`, else with /ping."""

    number: int
    peer: Peer
    announces: bool
    dead: tuple[str, ...] = ()


class AskSanity(msgspec.Struct, frozen=True):
    """Action: find out whether we are the sick one."""


class TellPeer(msgspec.Struct, frozen=True):
    """Action: tell that a peer died, or came back."""

    peer: Peer
    alive: bool


class TellCluster(msgspec.Struct, frozen=True):
    """Action: an election of ours is over; tell who is there."""

    peers: tuple[tuple[Peer, bool], ...]


class Elected(msgspec.Struct, frozen=True):
    """Action: the coordinator is another one now; empty: not known."""

    id: str


Event = Listed | Answered | Heard | Sane
Action = Call | AskSanity | TellPeer | TellCluster | Elected


class Bully:
    """The machine of the pod `own`. Without `checks` there is no sanity check."""

    def __init__(self, own: Peer, timing: Timing, *, checks: bool) -> None:
        self.own = own
        self.coordinator = ""
        self._timing = timing
        self._checks = checks
        self._peers: dict[str, Watched] = {}
        self._numbers = 0
        self._election: float | None = None
        self._asking = False
        self._round = False
        self._doomed: dict[str, Watched] = {}
        self._doubted: list[Watched] | None = None
        self._sick = False

    @property
    def leads(self) -> bool:
        """Whether this pod is the coordinator."""
        return self.coordinator == self.own.id

    @property
    def due(self) -> float | None:
        """When the next call or election is due."""
        times = [watched.at for watched in self._peers.values() if watched.at is not None and not watched.call]
        if self._election is not None and not self._asking and not self._round:
            times.append(self._election)
        return min(times, default=None)

    def believes(self, id: str, ip: str) -> bool:
        """Whether the peer of that id is at that address."""
        return any(watched.peer.id == id and watched.peer.ip == ip for watched in self._peers.values())

    def step(self, now: float, event: Event | None = None) -> list[Action]:
        """What to do now."""
        before = self.coordinator
        actions = [*self._take(now, event), *self._pass(now)]
        if self.coordinator != before:
            actions.insert(0, Elected(self.coordinator))
        return actions

    def _take(self, now: float, event: Event | None) -> Iterator[Action]:
        if isinstance(event, Listed):
            self._list(now, event)
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
        if self._asking and not any(watched.errand is Errand.ASK for watched in self._peers.values()):
            self._win(now)
        if self._doomed and self._doubted is None:
            self._doubted, self._doomed = list(self._doomed.values()), {}
            if self._checks:
                yield AskSanity()
            else:
                yield from self._judge(now, well=True)
        yield from self._end_round(now)
        for watched in self._peers.values():
            if watched.at is not None and watched.at <= now and not watched.call:
                yield self._call(watched)

    def _list(self, now: float, event: Listed) -> None:
        if event.myself and self._election is None:
            self._election = now + self._timing.election_pause
        before, self._peers = self._peers, {}
        for peer in event.peers:
            known = before.get(peer.address)
            fresh = Watched(peer, at=now)
            self._peers[peer.address] = known if known is not None and known.peer == peer else fresh
        gone = self.coordinator and not self.leads and not any(peer.id == self.coordinator for peer in event.peers)
        if gone:
            self.coordinator = ""
            self._soon(now)

    def _hear(self, now: float, event: Heard) -> None:
        for watched in self._peers.values():
            watched.told = watched.told or watched.peer.id in event.dead
        if outranks(event.id, self.own.id):
            self._follow(now, event.id)
        elif not self.leads:
            self._soon(now)

    def _answer(self, now: float, event: Answered) -> Iterator[Action]:
        watched = next((found for found in self._peers.values() if found.call == event.number), None)
        if watched is None:
            return
        watched.call = 0
        if event.well:
            yield from self._well(now, watched)
        else:
            self._failed(now, watched)

    def _well(self, now: float, watched: Watched) -> Iterator[Action]:
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
            watched.begin(Errand.ANNOUNCE, now)
        if asked and self._asking:
            known = self.coordinator if outranks(self.coordinator, self.own.id) else ""
            self._follow(now, known or watched.peer.id)

    def _failed(self, now: float, watched: Watched) -> None:
        watched.tries += 1
        joins = watched.errand is Errand.JOIN
        watched.at = now + (self._timing.connect_pause if joins else self._timing.send_pause)
        if watched.tries < watched.limit(self._timing):
            return
        if joins:
            watched.begin(Errand.JOIN, now + self._timing.election_pause)
        elif self.leads and watched.alive:
            watched.begin(Errand.NONE, None)
            self._doomed[watched.peer.address] = watched
        elif self.leads:
            self._settle(now, watched)
        else:
            watched.doubtful = True
            if watched.errand is Errand.WATCH:
                self._soon(now)
            watched.begin(Errand.NONE, None)

    def _judge(self, now: float, well: bool) -> Iterator[Action]:
        """Of the peers that failed all their tries: dead if we are well ourselves."""
        doubted, self._doubted = self._doubted or [], None
        self._sick = self._sick or not well
        for watched in doubted:
            if self.leads and self._peers.get(watched.peer.address) is watched and watched.errand is Errand.NONE:
                if well:
                    watched.alive = False
                    if not watched.told:
                        yield TellPeer(watched.peer, alive=False)
                self._settle(now, watched)

    def _ask(self, now: float) -> None:
        """Begins an election."""
        self._asking = True
        for watched in self._peers.values():
            if outranks(watched.peer.id, self.own.id):
                watched.begin(Errand.ASK, now)

    def _win(self, now: float) -> None:
        self._asking, self._round, self._sick = False, True, False
        self.coordinator = self.own.id
        for watched in self._peers.values():
            if watched.peer.address not in self._doomed:
                watched.begin(Errand.ANNOUNCE, now)

    def _end_round(self, now: float) -> Iterator[Action]:
        busy = self._doomed or self._doubted is not None
        if self._round and not busy and not any(w.errand is Errand.ANNOUNCE for w in self._peers.values()):
            self._round = False
            self._election = now + self._timing.election_pause
            if not self._sick:
                yield TellCluster(tuple((w.peer, w.alive) for w in self._peers.values() if w.alive is not None))

    def _follow(self, now: float, id: str) -> None:
        """Somebody who outranks us is there."""
        if self._asking or self._round:
            self._election = now + self._timing.election_pause
        self._asking = self._round = False
        self._doomed = {}
        self.coordinator = id
        for watched in self._peers.values():
            if watched.errand is not Errand.JOIN and not (watched.errand is Errand.WATCH and watched.peer.id == id):
                self._settle(now, watched)

    def _settle(self, now: float, watched: Watched) -> None:
        """Back to what it is called for between elections."""
        if self.leads or watched.peer.id == self.coordinator:
            watched.begin(Errand.WATCH, now + max(WATCH, len(self._peers) / RATE))
        else:
            watched.begin(Errand.NONE, None)

    def _soon(self, now: float) -> None:
        """An election is due at once; one that runs will do."""
        if self._election is not None:
            self._election = min(self._election, now)

    def _call(self, watched: Watched) -> Call:
        self._numbers += 1
        watched.call = self._numbers
        watched.announces = watched.errand is Errand.ANNOUNCE
        dead = tuple(self._dead()) if watched.announces else ()
        return Call(watched.call, watched.peer, watched.announces, dead)

    def _dead(self) -> Iterable[str]:
        dead = [watched.peer.id for watched in self._peers.values() if watched.alive is False]
        return dead[:DEAD_SAID]
