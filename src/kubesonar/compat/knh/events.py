"""What the bully machine is told, and what it answers."""

from __future__ import annotations

import msgspec

from kubesonar.compat.knh.identity import Peer


class PeersListed(msgspec.Struct, frozen=True):
    """Event: the peers in force, and whether the API has listed ourselves."""

    peers: tuple[Peer, ...]
    myself: bool


class CallEnded(msgspec.Struct, frozen=True):
    """Event: the call of that number went well, or not."""

    number: int
    well: bool


class CoordinatorClaim(msgspec.Struct, frozen=True):
    """Event: a peer that is believed says that it is the coordinator, and whom it has told dead."""

    id: str
    dead: frozenset[str] = frozenset()


class SanityResult(msgspec.Struct, frozen=True):
    """Event: the sanity check went well, or not."""

    well: bool


class Call(msgspec.Struct, frozen=True):
    """Action: call the peer, with /coordinator where it `announces`, naming the `dead`, else with /ping."""

    number: int
    peer: Peer
    announces: bool
    dead: tuple[str, ...] = ()


class CheckSanity(msgspec.Struct, frozen=True):
    """Action: find out whether we are the sick one."""


class NotifyPeer(msgspec.Struct, frozen=True):
    """Action: tell that a peer died, or came back."""

    peer: Peer
    alive: bool


class NotifyCluster(msgspec.Struct, frozen=True):
    """Action: an election of ours is over; tell who is there."""

    peers: tuple[tuple[Peer, bool], ...]


class CoordinatorChanged(msgspec.Struct, frozen=True):
    """Action: the coordinator is another one now; empty: not known."""

    id: str


BullyEvent = PeersListed | CallEnded | CoordinatorClaim | SanityResult
BullyAction = Call | CheckSanity | NotifyPeer | NotifyCluster | CoordinatorChanged
