"""State of each peer: whether it is alive, and for what purpose it is called next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import Enum

import msgspec

from kubesonar.compat.knh.election.identity import Peer
from kubesonar.core.timers import Timer, Timers


class Purpose(Enum):
    """The purpose for which a peer is called."""

    NONE = "none"
    JOIN = "join"
    """The call of a new peer, to see whether it answers."""
    ASK = "ask"
    """The call of a higher-ranked peer in an election, to see whether it answers."""
    ANNOUNCE = "announce"
    """The call that announces that this pod is the coordinator."""
    WATCH = "watch"
    """The call of a known peer, to see whether it still answers."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Tries of a call and pauses between them (s), to a new peer (`connect`) and to a known one (`send`), and the pause
    between elections (s)."""

    connect_tries: int = 5
    connect_pause: float = 2.0
    send_tries: int = 5
    send_pause: float = 1.0
    election_pause: float = 15.0


class PeerState(msgspec.Struct, eq=False):
    """One peer. `alive` is None where it never answered, `tries` the number of failed calls in a row, `call` the number
    of the call under way (0: none), `announces` whether that announces the coordinator, `at` the time of the next call.
    `doubtful`: it failed all its tries last. `reported`: another coordinator has reported it dead."""

    peer: Peer
    purpose: Purpose = Purpose.NONE
    alive: bool | None = None
    tries: int = 0
    call: int = 0
    announces: bool = False
    at: float | None = None
    doubtful: bool = False
    reported: bool = False
    timer: Timer | None = None

    def limit(self, timing: Timing) -> int:
        """Return how many calls may fail in a row before the peer counts as silent."""
        if self.purpose is Purpose.JOIN:
            return timing.connect_tries
        return timing.send_tries if self.alive and not self.doubtful else 1

    def answered(self) -> None:
        """Forget failures: a call was answered."""
        self.tries = 0
        self.doubtful = self.reported = False


class PeerTable:
    """Peers by address, and when each is to be called."""

    def __init__(self) -> None:
        self.peers: dict[str, PeerState] = {}
        self._agenda = Timers()
        self._errands: Counter[Purpose] = Counter()
        self._calls: dict[int, PeerState] = {}
        self._ready: list[PeerState] = []
        self._numbers = 0

    @property
    def due(self) -> float | None:
        """Time of the next call; None where no call is due."""
        return self._agenda.due

    def busy(self, purpose: Purpose) -> bool:
        """Whether any peer is called for this purpose."""
        return self._errands[purpose] > 0

    def replace(self, now: float, peers: Iterable[Peer]) -> None:
        """Replace the list of peers; call new ones for the purpose JOIN."""
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
        """Set the purpose of a peer, the time of its next call and its number of failed tries."""
        if watched.purpose is not purpose:
            self._errands[watched.purpose] -= 1
            self._errands[purpose] += 1
        watched.purpose, watched.tries = purpose, tries
        self.wait(watched, at)

    def wait(self, watched: PeerState, at: float | None) -> None:
        """Set the time of a peer's next call, which begins after the call under way has ended; None: no call."""
        if watched.timer is not None:
            watched.timer.cancel()
        watched.at = at
        watched.timer = None if at is None else self._agenda.at(at, self._make_ready, watched)

    def call(self, watched: PeerState) -> int:
        """Begin a call, and return its number."""
        self._numbers += 1
        watched.call = self._numbers
        watched.announces = watched.purpose is Purpose.ANNOUNCE
        self._calls[watched.call] = watched
        return watched.call

    def ended(self, number: int) -> PeerState | None:
        """End a call, and return its peer; None where that is no longer listed."""
        watched = self._calls.pop(number, None)
        if watched is not None:
            watched.call = 0
            self.wait(watched, watched.at)
        return watched

    def ready(self, now: float) -> list[PeerState]:
        """Return the peers to be called now."""
        self._agenda.run(now)
        ready, self._ready = self._ready, []
        return [watched for watched in ready if not watched.call]

    def _make_ready(self, now: float, watched: PeerState) -> None:
        watched.timer = None
        self._ready.append(watched)
