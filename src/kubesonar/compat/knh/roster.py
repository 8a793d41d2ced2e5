"""Peers from the addresses behind the Service, in EndpointSlices or, where only those are permitted, Endpoints.

A pod becomes a peer when it is ready. It stays one when it is no longer ready, because that is how the API shows a dead
node. A pod that terminates is removed without a report: somebody wanted that. One that is listed no longer and did not
terminate (its deletion was forced, or the node is gone) stays for a while, so that its death is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from kubesonar.compat.knh.election.identity import Peer, peer
from kubesonar.core.address import family_of, is_literal
from kubesonar.kube.types import Endpoints, EndpointSlice

OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
"""Annotation of Endpoints that were cut off at 1,000 addresses
(https://kubernetes.io/docs/concepts/services-networking/service/#over-capacity-endpoints)."""

MAX_PEERS = 10_000
"""Most peers; further addresses are ignored."""


VANISHED = 60.0
"""Seconds for which a pod stays a peer that is listed no longer and did not terminate. Shorter than a coordinator needs
to be found dead, its death is never reported; longer, a pod that somebody took out of the Service stays on the list."""


class ListedPeer(msgspec.Struct, frozen=True):
    """One address behind the Service, and whether its pod is ready."""

    peer: Peer
    ready: bool


def in_slices(slices: Iterable[EndpointSlice], family: int, port: int) -> list[ListedPeer]:
    """Return the pods in EndpointSlices of one family (4 or 6)."""
    kind = "IPv6" if family == 6 else "IPv4"

    def listed() -> Iterator[ListedPeer]:
        for piece in slices:
            if piece.address_type == kind:
                for endpoint in piece.endpoints or ():
                    state = endpoint.conditions
                    if not state.terminating and endpoint.addresses:
                        address = endpoint.addresses[0]  # the others stand for the same pod, and are never set
                        yield ListedPeer(peer(endpoint.node_name or "", address, port), state.ready is not False)

    return _unique(listed())


def terminating_in(slices: Iterable[EndpointSlice], port: int) -> frozenset[str]:
    """Return the peer addresses of the pods that terminate."""
    return frozenset(
        peer("", endpoint.addresses[0], port).address
        for piece in slices
        for endpoint in piece.endpoints or ()
        if endpoint.conditions.terminating and endpoint.addresses
    )


def in_endpoints(objects: Iterable[Endpoints], family: int, port: int) -> list[ListedPeer]:
    """Return the pods in v1 Endpoints of one family (4 or 6)."""

    def listed() -> Iterator[ListedPeer]:
        for item in objects:
            for subset in item.subsets or ():
                for addresses, ready in ((subset.addresses, True), (subset.not_ready_addresses, False)):
                    for found in addresses or ():
                        if family_of(found.ip) == family:
                            yield ListedPeer(peer(found.node_name or "", found.ip, port), ready)

    return _unique(listed())


def cut_off(objects: Iterable[Endpoints]) -> bool:
    """Whether Endpoints were truncated."""
    return any(item.metadata.annotations.get(OVER_CAPACITY) == "truncated" for item in objects)


class KnhRoster:
    """Present peers by address, without this pod; `found_myself`: the API lists this pod as ready."""

    def __init__(self, own_ip: str) -> None:
        self._own_ip = own_ip
        self.peers: dict[str, Peer] = {}
        self.found_myself = False
        self._vanished: dict[str, float] = {}

    @property
    def due(self) -> float | None:
        """Time at which a pod that is listed no longer stops to be a peer: `update` is to be called again then."""
        return min(self._vanished.values(), default=None)

    def update(self, now: float, listed: list[ListedPeer], terminating: frozenset[str] | None = None) -> None:
        """Take over a new list, and the addresses of pods that terminate (None: not known, as of v1 Endpoints). An
        empty list is believed at once: the Service was scaled to nothing or deleted."""
        self.found_myself = any(found.peer.ip == self._own_ip and found.ready for found in listed)
        others = [found for found in listed if found.peer.ip != self._own_ip]
        present = {
            found.peer.address: found.peer for found in others if found.ready or found.peer.address in self.peers
        }
        known = {found.peer.address for found in others} | (terminating or frozenset())
        gone = {} if terminating is None or not listed else {a: p for a, p in self.peers.items() if a not in known}
        ends = {address: self._vanished.get(address, now + VANISHED) for address in gone}
        self._vanished = {address: end for address, end in ends.items() if now < end}
        self.peers = present | {address: gone[address] for address in self._vanished}


def _unique(listed: Iterable[ListedPeer]) -> list[ListedPeer]:
    """Return one entry for each valid address, ready where any entry of it is."""
    found: dict[str, ListedPeer] = {}
    for item in listed:
        before = found.get(item.peer.address)
        if before is None and (len(found) >= MAX_PEERS or not is_literal(item.peer.ip)):
            continue
        if before is None or item.ready:
            found[item.peer.address] = item
    return list(found.values())
