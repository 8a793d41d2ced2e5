"""Virtual DNS pods on virtual nodes, and the doctors that watch them: the remedy (`core/remedy`) in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from kubesonar.core.remedy.dns_round import DnsRound, DnsServerPod, DnsStandpoint, PodReplies, PodReply
from kubesonar.core.remedy.events import (
    Decision,
    Evicted,
    Eviction,
    Leading,
    NotLeading,
    RemedyAction,
    RemedyMemory,
    RemedyVerb,
    Remember,
)
from kubesonar.core.remedy.options import RemedyOptions
from kubesonar.core.remedy.remedy import DnsRemedy
from kubesonar.sim.driver import VirtualTime

if TYPE_CHECKING:
    from random import Random

ROUND = 5.0
"""Seconds between two rounds of questions of a doctor."""

_UNNOTICED = 60.0
"""Seconds for which a doctor does not notice that another one leads."""

_NODE_GRACE = 45.0
"""Seconds after which Kubernetes notices that a node is silent."""

_NOT_READY_AFTER = 30.0
"""Seconds after which a kubelet notices that a process of its node is frozen."""


class Ailment(StrEnum):
    """The fault of a DNS pod itself: none, it is deaf by UDP and answers by TCP, its process takes connections and
    answers nothing, nothing at all comes back from it, or nothing to other nodes, while its own node, and so its
    kubelet, reaches it."""

    NONE = "none"
    DEAF = "deaf"
    FROZEN = "frozen"
    GONE = "gone"
    UNPLUGGED = "unplugged"


class SimDnsPod:
    """A DNS pod: what ails it since when, and when it was created, was ready and begins to be deleted."""

    def __init__(self, uid: str, node: str, created: float, ready_at: float, ailment: Ailment) -> None:
        self.uid = uid
        self.node = node
        self.created = created
        self.ready_at = ready_at
        self.ailment = ailment
        self.ill_since = created
        self.well_at = created
        self.deleted_at: float | None = None
        self.restarts = 0
        self.restarted_at = created

    def falls_ill(self, now: float, ailment: Ailment) -> None:
        """Let that ail it from now on."""
        self.ailment, self.ill_since = ailment, now

    def recovers(self, now: float) -> None:
        """Let nothing ail it any more."""
        if self.ailment is not Ailment.NONE:
            self.ailment, self.well_at = Ailment.NONE, now

    def answers(self, now: float) -> bool:
        """Whether it answers by UDP whoever reaches its node."""
        return self.ailment is Ailment.NONE and now >= self.ready_at

    def serves(self, now: float) -> bool:
        """Whether it answers whoever gets through to it by UDP."""
        return self.answers(now) or (self.ailment is Ailment.UNPLUGGED and now >= self.ready_at)

    def ready(self, now: float) -> bool:
        """Whether its kubelet holds it for ready. A kubelet asks by TCP, on the pod's node."""
        ill = self.ailment in (Ailment.FROZEN, Ailment.GONE) and now - self.ill_since >= _NOT_READY_AFTER
        return now >= self.ready_at and not ill


class DnsCluster(VirtualTime):
    """A cluster with so many nodes and DNS pods. `cut` are nodes that nothing gets in or out of, `ways` pairs of nodes
    between which nothing gets, `udp_ways` those between which no UDP does; `loss` is the share of questions that are
    lost. `evict` makes a successor after `start` seconds, never where that is None; it inherits the ailment where that
    is `chronic`. DNS pods are asked from the nodes `asking`; agents that probe each other are on all."""

    def __init__(self, rng: Random, nodes: int, pods: int) -> None:
        super().__init__()
        self.rng = rng
        self.nodes = [f"n{number}" for number in range(nodes)]
        self.asking = self.nodes
        self.cut: dict[str, float] = {}
        self.ways: set[tuple[str, str]] = set()
        self.udp_ways: set[tuple[str, str]] = set()
        self.cordoned: set[str] = set()
        self.loss = 0.0
        self.planned: tuple[str, ...] = ()
        self.chronic = False
        self.start: float | None = 10.0
        self.api = True
        self.permitted = True
        self.least_ready = 0
        self.pods: dict[str, SimDnsPod] = {}
        self.evictions: list[Callable[[SimDnsPod], None]] = []
        self._count = 0
        for number in range(pods):
            self._create(self.nodes[number % nodes], -1e6, Ailment.NONE)

    def present(self) -> list[SimDnsPod]:
        """The pods that are there and are not being deleted."""
        return [pod for pod in self.pods.values() if pod.deleted_at is None]

    def round(self) -> DnsRound:
        """Ask every pod from every node that asks, and the API server about them."""
        if not self.api:
            return DnsRound(pods=None)
        standpoints = tuple(DnsStandpoint(name=node, node=node) for node in self.asking)
        replies = [self._ask(node, pod) for node in self.asking if node not in self.cut for pod in self.pods.values()]
        pods = tuple(map(self._facts, self.pods.values()))
        return DnsRound(pods=pods, standpoints=standpoints, replies=tuple(replies), planned=self.planned)

    def evict(self, uid: str) -> Eviction:
        """Evict the pod, as the API server does or does not."""
        pod = self.pods.get(uid)
        if not self.api:
            if pod is None or pod.deleted_at is not None or self.rng.random() < 0.5:
                return Eviction.UNCERTAIN
            self.replace(pod)
            return Eviction.UNCERTAIN
        if not self.permitted:
            return Eviction.REFUSED
        if pod is None or pod.deleted_at is not None:
            return Eviction.GONE
        ready = sum(one.ready(self.now) for one in self.present())
        if ready - pod.ready(self.now) < self.least_ready:
            return Eviction.BLOCKED
        for watch in self.evictions:
            watch(pod)
        self.replace(pod)
        return Eviction.DONE

    def replace(self, pod: SimDnsPod) -> None:
        """Delete the pod; its owner makes another one."""
        pod.deleted_at = self.now
        self.after(self.rng.uniform(0, 30), self._remove, pod.uid)
        if self.start is not None:
            ailment = pod.ailment if self.chronic else Ailment.NONE
            self._create(self.rng.choice(self.nodes), self.now + self.rng.uniform(0, self.start), ailment)

    def reaches(self, node: str, pod: SimDnsPod, *, udp: bool) -> bool:
        """Whether packets pass both ways between a node and a pod."""
        if node == pod.node:
            return True
        return pod.ailment is not Ailment.UNPLUGGED and self.passes(node, pod.node, udp=udp)

    def passes(self, node: str, other: str, *, udp: bool) -> bool:
        """Whether packets pass both ways between two nodes."""
        way = (node, other)
        return not (node in self.cut or other in self.cut or way in self.ways or (udp and way in self.udp_ways))

    def _remove(self, uid: str) -> None:
        del self.pods[uid]

    def _create(self, node: str, ready_at: float, ailment: Ailment) -> None:
        self._count += 1
        uid = f"u{self._count}"
        self.pods[uid] = SimDnsPod(uid, node, self.now if ready_at > 0 else ready_at, ready_at, ailment)

    def _ask(self, node: str, pod: SimDnsPod) -> PodReplies:
        udp = self.reaches(node, pod, udp=True) and pod.serves(self.now) and self.rng.random() >= self.loss
        way = self.reaches(node, pod, udp=False)
        tcp = way and (pod.serves(self.now) or (pod.ailment is Ailment.DEAF and self.now >= pod.ready_at))
        handshake = way and pod.ailment is not Ailment.GONE and self.now >= pod.ready_at
        said = {True: PodReply.ANSWERED, False: PodReply.SILENT}
        beyond = self.passes(node, pod.node, udp=True) if node != pod.node else None
        return PodReplies(
            standpoint=node, pod=pod.uid, udp=said[udp], tcp=said[tcp], reached=handshake, node_reached=beyond
        )

    def _facts(self, pod: SimDnsPod) -> DnsServerPod:
        now, ready = self.now, pod.ready(self.now)
        changed = max(pod.ready_at, pod.restarted_at) if ready else max(pod.created, pod.ill_since)
        node_ready = pod.node not in self.cut or now - self.cut[pod.node] < _NODE_GRACE
        return DnsServerPod(
            uid=pod.uid,
            name=pod.uid,
            node=pod.node,
            phase="Running" if now >= pod.ready_at else "Pending",
            ready=ready and node_ready,
            running_for=max(0.0, now - changed),
            restarts=pod.restarts,
            node_ready=node_ready,
            owner="Deployment coredns",
            deleting=pod.deleted_at is not None,
            planned="its node is cordoned" if pod.node in self.cordoned else "",
        )


class SimDoctor:
    """A doctor with the remedy, which asks every `ROUND` seconds while it leads. `saw` is called with each action."""

    def __init__(self, office: DoctorOffice, options: RemedyOptions, saw: Callable[[RemedyAction], None]) -> None:
        self._office = office
        self._options = options
        self._saw = saw
        self.remedy = DnsRemedy(options)
        self._version = -1

    def leads(self, now: float) -> None:
        """Begin to lead, with what was written down."""
        self._version = self._office.version
        self._step(now, self.remedy.step(now, Leading(self._office.memory)))

    def follows(self, now: float) -> None:
        """Note that it leads no more."""
        self._step(now, self.remedy.step(now, NotLeading()))

    def crashes(self) -> None:
        """Forget everything."""
        self.remedy = DnsRemedy(self._options)

    def ask(self, now: float) -> None:
        """Make a round and do what follows from it."""
        self._step(now, self.remedy.step(now, self._office.cluster.round()))

    def _step(self, now: float, actions: Iterable[RemedyAction]) -> None:
        written = True
        for action in actions:
            self._saw(action)
            if isinstance(action, Remember):
                written = self._office.write(action.memory, self._version)
                self._version += written
            elif isinstance(action, Decision) and action.verb is RemedyVerb.RESTART:
                cluster = self._office.cluster
                done = cluster.evict(action.uid) if written else Eviction.NOT_TRIED
                self._step(now, self.remedy.step(now, Evicted(action.uid, done)))


class DoctorOffice:
    """The Lease of several doctors, with what the one that leads has written into it. A write of one that does not
    lead any more fails, as its version is an older one."""

    def __init__(
        self, cluster: DnsCluster, options: RemedyOptions, doctors: int, saw: Callable[[RemedyAction], None]
    ) -> None:
        self.cluster = cluster
        self.memory = RemedyMemory()
        self.version = 0
        self._written_at = 0.0
        self._doctors = [SimDoctor(self, options, saw) for _ in range(doctors)]
        self._leader = self._doctors[0]
        self._stale: SimDoctor | None = None
        self._leader.leads(cluster.now)
        self.period = ROUND
        """Seconds between two rounds."""
        cluster.after(ROUND, self._round)

    def write(self, memory: RemedyMemory, version: int) -> bool:
        """Write the memory; return whether that was possible."""
        if not self.cluster.api or version != self.version:
            return False
        self.memory, self._written_at = memory, self.cluster.now
        self.version += 1
        return True

    def hand_over(self) -> None:
        """Let the next doctor lead; the one before does not notice for another while."""
        stale = self._leader
        self._doctors.append(self._doctors.pop(0))
        self._leader = self._doctors[0]
        self._lead()
        if stale is not self._leader:
            self._stale = stale
            self.cluster.after(_UNNOTICED, self._notice)

    def crash(self) -> None:
        """Let the leader forget everything, and lead again."""
        self._leader.crashes()
        self._lead()

    def _lead(self) -> None:
        self.version += 1
        passed = self.cluster.now - self._written_at
        self.memory = self.memory.aged(passed)
        self._written_at = self.cluster.now
        self._leader.leads(self.cluster.now)

    def _notice(self) -> None:
        if self._stale is not None and self._stale is not self._leader:
            self._stale.follows(self.cluster.now)
        self._stale = None

    def _round(self) -> None:
        self._leader.ask(self.cluster.now)
        if self._stale is not None and self._stale is not self._leader:
            self._stale.ask(self.cluster.now)
        self.cluster.after(self.period, self._round)
