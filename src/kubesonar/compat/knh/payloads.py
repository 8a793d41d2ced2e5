"""Bodies of both webhooks, with keys in the documented order."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubesonar.compat.knh.election.identity import Peer
from kubesonar.core.encoding import encode_json


class _Status(msgspec.Struct, frozen=True):
    id: str
    address: str
    alive: bool
    node_name: str


class _PeerStatus(msgspec.Struct, frozen=True):
    peer: _Status
    coordinator: str
    coordinator_address: str


class _ClusterStatus(msgspec.Struct, frozen=True):
    peer_map: list[_Status]
    coordinator: str
    coordinator_address: str


def peer_status(peer: Peer, alive: bool, coordinator: Peer) -> bytes:
    """Return the body that is posted to PEER_STATUS_URL about one peer."""
    return encode_json(_PeerStatus(_status(peer, alive), coordinator.id, coordinator.address))


def cluster_status(peers: Iterable[tuple[Peer, bool]], coordinator: Peer) -> bytes:
    """Return the body that is posted to CLUSTER_STATUS_URL: every peer but the coordinator, and whether it is alive, in
    order of ids."""
    ordered = sorted(peers, key=lambda pair: (pair[0].id.encode("utf-8", "surrogatepass"), pair[0].address))
    states = [_status(peer, alive) for peer, alive in ordered]
    return encode_json(_ClusterStatus(states, coordinator.id, coordinator.address))


def _status(peer: Peer, alive: bool) -> _Status:
    return _Status(peer.id, peer.address, alive, peer.node_name)
