"""What a pod knows of its peers, and what it calls them for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import Enum

import msgspec

from kubesonar.compat.knh.identity import Peer
from kubesonar.core.timers import Timer, Timers


class Purpose(Enum):
    """Why a peer is called."""

    NONE = "none"
    JOIN = "join"
    """Is this new peer there?"""
    ASK = "ask"
    """Is somebody there that outranks me?"""
    ANNOUNCE = "announce"
    """I am the coordinator."""
    WATCH = "watch"
    """Are you still there?"""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Tries of a call and pauses between them (s), to a new peer and to a known one; the pause between elections."""

    connect_tries: int = 5
    connect_pause: float = 2.0
    send_tries: int = 5
    send_pause: float = 1.0
    election_pause: float = 15.0


class PeerState(msgspec.Struct, eq=False):
    """`alive` is None for a peer that never answered. `tries` are the calls that failed in a row, `call` the number of
    the one under way (0: none) and `announces` whether it says who is the coordinator, `at` when the next is due.
    `doubtful`: it just failed all its tries. `told`: another coordinator has told that it is dead."""

    peer: Peer
    purpose: Purpose = Purpose.NONE
    alive: bool | None = None
    tries: int = 0
    call: int = 0
    announces: bool = False
    at: float | None = None
    doubtful: bool = False
    told: bool = False
    timer: Timer | None = None

    def limit(self, timing: Timing) -> int:
        """How many calls may fail until something follows from it."""
        if self.purpose is Purpose.JOIN:
            return timing.connect_tries
        return timing.send_tries if self.alive and not self.doubtful else 1

    def answered(self) -> None:
        """A call went well."""
        self.tries = 0
        self.doubtful = self.told = False


class PeerTable:
    """The peers by address, and when each is to be called."""

    def __init__(self) -> None:
        self.peers: dict[str, PeerState] = {}
        self._agenda = Timers()
        self._errands: Counter[Purpose] = Counter()
        self._calls: dict[int, PeerState] = {}
        self._ready: list[PeerState] = []
        self._numbers = 0

    @property
    def due(self) -> float | None:
        """When the next call is due."""
        return self._agenda.due

    def busy(self, purpose: Purpose) -> bool:
        """Whether any peer is called for this."""
        return self._errands[purpose] > 0

    def replace(self, now: float, peers: Iterable[Peer]) -> None:
        """These are the peers from now on; new ones are called to join."""
        before, self.peers = self.peers, {}
        for peer in peers:
            known = before.get(peer.address)
            if known is not None and known.peer == peer:
                self.peers[peer.address] = before.pop(peer.address)
            else:
                self.peers[peer.address] = PeerState(peer)
                self.begin(self.peers[peer.address], Purpose.JOIN, now)
        for watched in before.values():
            self.begin(watched, Purpose.NONE, None)
            self._calls.pop(watched.call, None)

    def begin(self, watched: PeerState, purpose: Purpose, at: float | None, tries: int = 0) -> None:
        """It is called for something else from now on."""
        if watched.purpose is not purpose:
            self._errands[watched.purpose] -= 1
            self._errands[purpose] += 1
        watched.purpose, watched.tries = purpose, tries
        self.wait(watched, at)

    def wait(self, watched: PeerState, at: float | None) -> None:
        """It is called next at that time, or as soon as the call under way has ended; None: not at all."""
        if watched.timer is not None:
            watched.timer.cancel()
        watched.at = at
        watched.timer = None if at is None else self._agenda.at(at, self._come, watched)

    def call(self, watched: PeerState) -> int:
        """A call begins; its number."""
        self._numbers += 1
        watched.call = self._numbers
        watched.announces = watched.purpose is Purpose.ANNOUNCE
        self._calls[watched.call] = watched
        return watched.call

    def ended(self, number: int) -> PeerState | None:
        """The peer whose call ended; None where it is no longer one."""
        watched = self._calls.pop(number, None)
        if watched is not None:
            watched.call = 0
            self.wait(watched, watched.at)
        return watched

    def ready(self, now: float) -> list[PeerState]:
        """The peers to be called now."""
        self._agenda.run(now)
        ready, self._ready = self._ready, []
        return [watched for watched in ready if not watched.call]

    def _come(self, now: float, watched: PeerState) -> None:
        watched.timer = None
        self._ready.append(watched)
