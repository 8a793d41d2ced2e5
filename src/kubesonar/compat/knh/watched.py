"""What a pod knows of one peer, and what it calls it for."""

from __future__ import annotations

from enum import Enum

import msgspec

from kubesonar.compat.knh.identity import Peer


class Errand(Enum):
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


class Watched(msgspec.Struct):
    """`alive` is None for a peer that never answered. `tries` are the calls that failed in a row, `call` the number of
    the one under way (0: none) and `announces` whether it says who is the coordinator, `at` when the next is due.
    `doubtful`: it just failed all its tries. `told`: another coordinator has told that it is dead."""

    peer: Peer
    errand: Errand = Errand.JOIN
    alive: bool | None = None
    tries: int = 0
    call: int = 0
    announces: bool = False
    at: float | None = None
    doubtful: bool = False
    told: bool = False

    def begin(self, errand: Errand, at: float | None) -> None:
        """Is called for something else from now on."""
        self.errand, self.at, self.tries = errand, at, 0

    def limit(self, timing: Timing) -> int:
        """How many calls may fail until something follows from it."""
        if self.errand is Errand.JOIN:
            return timing.connect_tries
        return timing.send_tries if self.alive and not self.doubtful else 1

    def answered(self) -> None:
        """A call went well."""
        self.tries = 0
        self.doubtful = self.told = False
