"""Virtual time: agents wake up, probes end, responders record, rosters arrive, and an observer reads snapshots."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import count
from random import Random
from typing import NamedTuple

import msgspec

from bench.diagnosis.agent import VirtualAgent
from bench.diagnosis.cluster import Cluster, Place, Shape, place_of
from bench.diagnosis.network import Flow, VirtualNetwork
from bench.diagnosis.prober import FULL, SMALL, Outcome, Prober, local
from bench.diagnosis.servers import Servers
from bench.diagnosis.tcp import connect
from kubesonar.model import Check, Kind, Member, Network, Observation, Roster, Snapshot, State

OBSERVER = Place("observer")
"""Who reads the snapshots: outside of all nodes and zones."""

_READ_TIMEOUT = 2.0
_READ_ROUNDS = 6
"""Windows in which a snapshot is sent; the loss of the last packet of one costs a time-out."""
_GRACE = 40.0
"""Seconds without a word of a kubelet until its node is not ready (node-monitor-grace-period)."""

_LATE = 0.1
"""Deadlines that fire later than this (s) and than a quarter of the timeout prove nothing."""


_PACKETS = {Kind.UDP: 16, Kind.ICMP: 2, Kind.TCP: 6, Kind.HTTP: 10, Kind.DNS: 2, Kind.MTU: 20}
"""Packets of one probe, both ways (docs/cost.md)."""


class Read(NamedTuple):
    """The snapshots that could be read, and why the others could not."""

    snapshots: list[Snapshot]
    unread: dict[str, str]


class Simulation:
    """One virtual cluster from virtual time 0 on."""

    def __init__(self, shape: Shape, seed: int) -> None:
        self.rng = Random(seed)
        self.cluster = Cluster(shape, self.rng)
        self.network = VirtualNetwork(self.cluster, self.rng)
        self.servers = Servers(self.cluster)
        self.agents: dict[str, VirtualAgent] = {}
        self.members: dict[str, Member] = {}
        self.now = 0.0
        self.offsets = {node: self._offset() for node in self.cluster.nodes} if shape.clocks else {}
        """How far nodes' clocks are ahead (s)."""
        self.packets: dict[str, float] = dict.fromkeys(self.cluster.nodes, 0.0)
        """Packets of probes so far, both ways, by the node that probes."""
        self._options = self.cluster.options()
        self._lags = {member.name: self.rng.uniform(0.0, shape.lag) for member in self.cluster.members}
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._revision = count(1)
        self._armed: dict[str, float] = {}
        self._lost: set[str] = set()
        self._unready: set[str] = set()
        self._forbidden = {
            member.name for member in self.cluster.members if shape.unread and self.rng.random() < shape.unread
        }
        self._prober = Prober(self.cluster, self.network, self.servers, self.agents, self._record, self.rng)
        self.rates = self._prober.rates
        """What the links of nodes pass, in bits/s, where that is little."""
        for member in self.cluster.members:
            self.members[member.name] = member
            self.start(member.name)
        self.publish(at_once=True)
        if shape.starved:
            self._starve()

    def change(self, *members: Member) -> None:
        """Puts members, new ones or in a new state, into the source of members; `publish` it."""
        for member in members:
            self.members[member.name] = member
            self.cluster.places.setdefault(member.name, place_of(member))
            self._lags.setdefault(member.name, self.rng.uniform(0.0, self.cluster.shape.lag))

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Has `action` happen at that time."""
        heapq.heappush(self._queue, (max(when, self.now), next(self._order), action))

    def run(self, until: float) -> None:
        """Lets time pass."""
        queue = self._queue
        while queue and queue[0][0] <= until:
            self.now, _, action = heapq.heappop(queue)
            action()
        self.now = until

    def start(self, name: str) -> None:
        """Starts a member's agent (again), with an empty memory."""
        member = self.members[name]
        offset = self.offsets.get(member.node, 0.0)
        self.agents[name] = VirtualAgent(member, self.cluster, self._options, self.now, offset)
        self._armed.pop(name, None)

    def stop(self, name: str, *, absent: bool = False) -> None:
        """Ends a member's process; `absent`: its pod too."""
        self.agents[name].alive = False
        self.agents[name].absent = absent

    def inherit(self, name: str, successor: str) -> None:
        """`successor` is at the address of `name` now."""
        self._prober.heirs[name] = successor

    def revive(self, name: str) -> None:
        """Starts a member's agent again, with the roster that its source has now."""
        self.start(name)
        self.hand_all(name)

    def hand_all(self, name: str) -> None:
        """A member gets the roster that its source has now."""
        self.hand(name, Roster(f"r{next(self._revision)}", tuple(self.members.values())))

    def outdate(self, why: str) -> None:
        """The source of members does not answer, or does again where `why` is empty: rosters stay as they are."""
        for agent in self.agents.values():
            if agent.alive:
                agent.ledger.roster_changed(msgspec.structs.replace(agent.ledger.roster, stale=why))

    def strangers(self, names: set[str]) -> None:
        """These members and the others do not understand each other's datagrams."""
        self._prober.strangers = names

    def move_dns(self, name: str, node: str) -> None:
        """A DNS pod is replaced by one of a new name on another node."""
        cluster = self.cluster
        successor = f"{name}-next"
        del cluster.dns[name]
        cluster.dns[successor] = node
        cluster.addresses[successor] = f"10.244.251.{len(cluster.addresses)}"
        cluster.places[successor] = Place(successor, node, cluster.zone_of[node], Network.POD)
        self.servers.add(successor)
        self._rotate()

    def unready(self, names: Collection[str], after: float) -> None:
        """The Service leads to these agents no longer, so long after now, unless they are ready again by then."""
        self._unready |= set(names)
        self.at(self.now + after, self._rotate)

    def ready(self, names: Collection[str]) -> None:
        """They are ready again after five seconds."""
        self._unready -= set(names)
        self.at(self.now + 5.0, self._rotate)

    def lose_node(self, node: str) -> None:
        """The node's kubelet reaches nobody from now on: after the grace period the cluster says that it is not ready,
        and nothing on it is behind a Service any more."""
        self._lost.add(node)
        self.at(self.now + _GRACE, lambda: self._give_up(node))

    def regain_node(self, node: str) -> None:
        """The kubelet is heard again within ten seconds."""
        self._lost.discard(node)
        self.at(self.now + self.rng.uniform(1.0, 10.0), lambda: self._take_back(node))

    def _give_up(self, node: str) -> None:
        if node in self._lost:
            reason = f"node {node} is not ready: NodeStatusUnknown"
            self.restate(node, State.NOT_READY, reason)
            self._rotate()

    def _take_back(self, node: str) -> None:
        if node not in self._lost:
            self.restate(node, State.SERVING, "")
            self._rotate()

    def restate(self, node: str, state: State, reason: str) -> None:
        """Says of all members on that node what is expected of them; agents hear of it with their lags."""
        replace = msgspec.structs.replace
        there = [member for member in self.members.values() if member.node == node and member.addresses]
        self.change(*(replace(member, state=state, reason=reason) for member in there if member.state is not state))
        self.publish()

    def _rotate(self) -> None:
        """Puts behind the Services what runs on nodes that are ready."""
        servers, cluster = self.servers, self.cluster
        servers.endpoints = [name for name, node in cluster.dns.items() if node not in self._lost]
        out = self._unready
        servers.agents = [
            name for name in servers.all_agents if self.members[name].node not in self._lost and name not in out
        ]
        for agent in self.agents.values():
            self._act(agent, partial(self._learn_dns, agent))

    def _learn_dns(self, agent: VirtualAgent) -> list[Check]:
        return agent.set_dns(self.servers.endpoints, self.now)

    def freeze(self, name: str, until: float) -> None:
        """A member's process does not run until then."""
        agent, began = self.agents.get(name), self.now
        if agent is not None:
            agent.freeze(began, until)
            self.at(until, lambda: agent.stood_still(self.now, self.now - began))

    def publish(self, *, at_once: bool = False) -> None:
        """The source of members says now what `self.members` holds; agents hear of it with their lags."""
        roster = Roster(f"r{next(self._revision)}", tuple(self.members.values()))
        for name in list(self.agents):
            if at_once:
                self.hand(name, roster)
            else:
                self.at(self.now + self._lags.get(name, 0.0), lambda name=name: self.hand(name, roster))  # type: ignore[misc]

    def hand(self, name: str, roster: Roster) -> None:
        """A member gets that roster now."""
        agent = self.agents.get(name)
        if agent is not None:
            self._act(agent, lambda: agent.set_roster(roster, self.now))

    def read(self) -> Read:
        """What an observer outside reads of all members now."""
        snapshots, unread = [], {}
        for name, agent in self.agents.items():
            why = self._unreadable(agent)
            if why:
                unread[name] = why
            else:
                snapshots.append(agent.snapshot(self.now))
        return Read(snapshots, {name: why for name, why in unread.items() if name in self.members})

    def _offset(self) -> float:
        """Of most clocks a few milliseconds, of one in twenty up to half a minute."""
        return self.rng.gauss(0.0, 0.005) if self.rng.random() < 0.95 else self.rng.uniform(-30.0, 30.0)

    def _starve(self) -> None:
        for agent in list(self.agents.values()):
            if agent.alive and self.rng.random() < self.cluster.shape.starved:
                begins = self.now + self.rng.uniform(0.0, 50.0)
                until = begins + self.rng.uniform(0.2, 10.0)
                self.at(begins, lambda name=agent.name, until=until: self.freeze(name, until))  # type: ignore[misc]
        self.at(self.now + 60.0, self._starve)

    def _unreadable(self, agent: VirtualAgent) -> str:
        """Why an agent's snapshot cannot be read through the network; empty where it can."""
        if agent.name in self._forbidden or (agent.alive and agent.thaw - self.now > _READ_TIMEOUT):
            return "no answer within 2 s"
        flow = Flow("tcp", 7473, SMALL)
        there = self.network.way(OBSERVER, agent.place, flow)
        back = self.network.way(agent.place, OBSERVER, flow)
        done = connect(there, back, self.now, _READ_TIMEOUT)
        if done.after is None:
            return "no answer within 2 s"
        if not agent.alive:
            return "connection refused"
        big = self.network.way(agent.place, OBSERVER, flow._replace(size=FULL))
        took = done.after
        for _ in range(_READ_ROUNDS):
            wait = 0.2
            while not (there.passes(self.now) and big.passes(self.now)):
                took += wait
                wait *= 2
                if took > _READ_TIMEOUT:
                    return "no answer within 2 s"
        return ""

    def _act(self, agent: VirtualAgent, act: Callable[[], Sequence[Check]]) -> None:
        """Has an agent take something in as soon as it runs, and launches what it wants then."""
        if self.agents.get(agent.name) is not agent or not agent.alive:
            return
        if self.now < agent.thaw:
            self.at(agent.thaw, lambda: self._act(agent, act))
            return
        self._launch(agent, act())
        self._arm(agent)

    def _arm(self, agent: VirtualAgent) -> None:
        due = agent.due
        if self._armed.get(agent.name) != due and due < float("inf"):
            self._armed[agent.name] = due
            self.at(due, lambda: self._wake(agent, due))

    def _wake(self, agent: VirtualAgent, due: float) -> None:
        if self._armed.get(agent.name) != due or self.agents.get(agent.name) is not agent or not agent.alive:
            return
        if self.now < agent.thaw:
            self.at(agent.thaw, lambda: self._wake(agent, due))
            return
        self._launch(agent, agent.wake(self.now))
        self._arm(agent)

    def _launch(self, agent: VirtualAgent, checks: Sequence[Check]) -> None:
        for check in checks:
            if check.target in self.agents or check.target not in self.members:
                outcome = self._prober.probe(agent, check, self.now)
                self.packets[agent.place.node] += _PACKETS[check.kind]
                self.at(outcome.done, lambda outcome=outcome: self._done(agent, outcome))  # type: ignore[misc]

    def _done(self, agent: VirtualAgent, outcome: Outcome) -> None:
        if not agent.alive:
            return
        if self.now < agent.thaw:
            late = agent.thaw - self.now
            check = outcome.observation.check
            starved = late > max(_LATE, check.timeout / 4)
            told = local(outcome) if starved else outcome.observation
            self.at(agent.thaw, lambda: self._done(agent, Outcome(agent.thaw, told)))
            return
        self._launch(agent, agent.add(outcome.observation, self.now))
        self._arm(agent)

    def _record(self, when: float, agent: VirtualAgent, observation: Observation) -> None:
        self.at(when, lambda: self._done(agent, Outcome(when, observation)))
