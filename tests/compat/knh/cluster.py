"""A virtual cluster of pods that run the bully machine, and whatever may happen to them."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from kubesonar.compat.knh.election.bully import Bully
from kubesonar.compat.knh.election.events import (
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
from kubesonar.compat.knh.election.identity import Peer, peer
from kubesonar.compat.knh.election.peer_state import Timing
from kubesonar.sim.driver import VirtualDrive, VirtualTime

TRIP = 0.002
TIMEOUT = 2.0


class Cluster:
    """Pods by number; node-9 outranks node-10. `told` is (when, by whom, what)."""

    def __init__(self, size: int, *, checks: bool = False) -> None:
        self.sim = VirtualTime()
        self.drives: dict[str, VirtualDrive] = {}
        self.pods: dict[str, Bully] = {}
        self.told: list[tuple[float, str, Any]] = []
        self.cut: set[tuple[str, str]] = set()
        self.frozen: set[str] = set()
        self.insane: set[str] = set()
        self.older: set[str] = set()
        self.calls = 0
        self.changes: list[CoordinatorChanged] = []
        self._checks = checks
        for number in range(size):
            self.start(f"node-{number}")

    def start(self, node: str, listed: Iterable[str] | None = None) -> str:
        """A pod starts, and all learn of it; its id."""
        own = pod(node)
        self.pods[own.id] = Bully(own, Timing(), checks=self._checks)
        self.drives[own.id] = VirtualDrive(self.sim, self.pods[own.id], partial(self._act, own.id))
        self.enlist(listed)
        return own.id

    def kill(self, node: str) -> None:
        """The process is gone; the API goes on listing it."""
        self.drives.pop(pod(node).id).pause()
        del self.pods[pod(node).id]

    def enlist(self, nodes: Iterable[str] | None = None) -> None:
        """The API lists these, all that run without any."""
        peers = [bully.own for bully in self.pods.values()] if nodes is None else [pod(node) for node in nodes]
        for id in self.pods:
            self._send(id, PeersListed(tuple(peer for peer in peers if peer.id != id), myself=True))

    def run(self, seconds: float) -> None:
        """Lets time pass."""
        self.sim.run(self.sim.now + seconds)

    def coordinators(self) -> list[str]:
        """Who knows to be one, by node."""
        return sorted(bully.own.node_name for bully in self.pods.values() if bully.leads)

    def deaths(self) -> list[tuple[str, str]]:
        """Every death told: by whom, and whose."""
        return [(node_of(by), what.peer.node_name) for _, by, what in self.told if _is_death(what)]

    def _send(self, id: str, event: Any, delay: float = 0.0) -> None:
        self.sim.after(delay, self._arrive, id, event)

    def _arrive(self, id: str, event: Any) -> None:
        if id in self.drives:
            self.drives[id].feed(event)

    def _act(self, id: str, action: Any) -> None:
        if isinstance(action, Call):
            self._call(id, action)
        elif isinstance(action, CheckSanity):
            self._send(id, SanityResult(id not in self.insane), delay=0.1)
        elif isinstance(action, CoordinatorChanged):
            self.changes.append(action)
        else:
            self.told.append((self.sim.now, id, action))

    def _call(self, id: str, call: Call) -> None:
        self.calls += 1
        other = call.peer.id
        if other in self.frozen or (id, other) in self.cut:
            self._send(id, CallEnded(call.number, False), delay=TIMEOUT)
        elif other not in self.pods:
            self._send(id, CallEnded(call.number, False), delay=TRIP)
        else:
            if call.announces and self.pods[other].knows(id, ip_of(id)):
                dead = frozenset() if {id, other} & self.older else frozenset(call.dead)
                self._send(other, CoordinatorClaim(id, dead), delay=TRIP)
            self._send(id, CallEnded(call.number, True), delay=2 * TRIP)


def pod(node: str) -> Peer:
    """The pod on a node."""
    return peer(node, f"10.0.{node.removeprefix('node-')}.1", 8080)


def node_of(id: str) -> str:
    """The node of an id."""
    return id.partition("@")[0]


def ip_of(id: str) -> str:
    """The address of the pod of that id."""
    return pod(node_of(id)).ip


def _is_death(what: Any) -> bool:
    return isinstance(what, NotifyPeer) and not what.alive


def statuses(cluster: Cluster) -> list[dict[str, bool]]:
    """Every cluster status told, by node."""
    found = [what for _, _, what in cluster.told if isinstance(what, NotifyCluster)]
    return [{peer.node_name: alive for peer, alive in status.peers} for status in found]
