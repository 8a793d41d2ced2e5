"""Events that the bully machine takes, and actions that it returns."""

from __future__ import annotations

import msgspec

from kubesonar.compat.knh.election.identity import Peer


class PeersListed(msgspec.Struct, frozen=True):
    """Event: the present peers, and whether the API lists this pod as ready."""

    peers: tuple[Peer, ...]
    myself: bool


class CallEnded(msgspec.Struct, frozen=True):
    """Event: the call of that number was answered, or not."""

    number: int
    well: bool


class CoordinatorClaim(msgspec.Struct, frozen=True):
    """Event: the peer of that id announces that it is the coordinator, and which peers it has reported dead."""

    id: str
    dead: frozenset[str] = frozenset()


class SanityResult(msgspec.Struct, frozen=True):
    """Event: the sanity check succeeded, or not."""

    well: bool


class Call(msgspec.Struct, frozen=True):
    """Action: call the peer: /coordinator, naming the `dead` peers, where the call `announces`, else /ping."""

    number: int
    peer: Peer
    announces: bool
    dead: tuple[str, ...] = ()


class CheckSanity(msgspec.Struct, frozen=True):
    """Action: find out whether this pod itself is cut off."""


class NotifyPeer(msgspec.Struct, frozen=True):
    """Action: report that a peer died, or came back."""

    peer: Peer
    alive: bool


class NotifyCluster(msgspec.Struct, frozen=True):
    """Action: report all peers, and which are alive, after an election that this pod won."""

    peers: tuple[tuple[Peer, bool], ...]


class CoordinatorChanged(msgspec.Struct, frozen=True):
    """Action: log the new coordinator's id; empty: not known."""

    id: str


BullyEvent = PeersListed | CallEnded | CoordinatorClaim | SanityResult
BullyAction = Call | CheckSanity | NotifyPeer | NotifyCluster | CoordinatorChanged
