"""Properties that must hold in every run, whatever happens in it."""

from __future__ import annotations

from kubesonar.core.membership.events import Announce, Elected, MembershipAction
from kubesonar.model import Condition, Network
from kubesonar.sim.node import SimNode, SimProcess
from kubesonar.sim.world import SimWorld

HINDSIGHT = 5.0
"""Seconds for which a member has to have been well for an announcement about it to be false: what is announced was
measured a while before."""

DEATHS = frozenset({Condition.DEAD, Condition.GONE})


class Oracles:
    """Judges a world's actions; `act` goes into its `watch`. `complaints` are sentences about what must not happen,
    `announced` counts announcements by condition."""

    def __init__(self, world: SimWorld) -> None:
        self.complaints: list[str] = []
        self.announced: dict[Condition, int] = {}
        self.false_freezes = 0
        self._world = world
        self._in_office: set[str] = set()
        self._still_since = 0.0

    def moved(self) -> None:
        """Note that the network was changed, so that announcements may still be about the time before."""
        self._still_since = self._world.now

    def act(self, now: float, node: SimNode, action: MembershipAction) -> None:
        """Judge one action."""
        if isinstance(action, Elected):
            (self._in_office.add if action.mine else self._in_office.discard)(node.name)
        elif isinstance(action, Announce):
            self.announced[action.what] = self.announced.get(action.what, 0) + 1
            self._one_announces(now)
            self._true(now, action)

    def settled(self) -> None:
        """Check a cluster that was left alone for a while: exactly one member may announce, and it holds all that are
        lost, and nobody else, for dead, gone or frozen."""
        world = self._world
        heads = self.announcing()
        if len(heads) != 1:
            self._complain(f"{len(heads)} members announce ({', '.join(heads) or 'nobody'}), expected 1")
        for head in heads:
            machine = world.nodes[head].machine
            held = machine.conditions if machine is not None else {}
            for node in world.nodes.values():
                lost = not node.host_up or node.process is not SimProcess.RUNNING or not self._heard(node)
                if node.member.expected and lost and node.name not in held:
                    self._complain(f"{head} did not announce {node.name}")
                if not lost and node.name in held:
                    self._complain(f"{head} holds {node.name} for {held[node.name]}")

    def _true(self, now: float, told: Announce) -> None:
        node = self._world.nodes.get(told.member)
        if node is None:
            if told.what is not Condition.LEFT:
                self._complain(f"{told.member} was announced {told.what}, and is on no roster")
            return
        if now - self._still_since < HINDSIGHT or not self._heard(node):
            return
        if told.what in DEATHS and node.host_up and now - node.alive_since > HINDSIGHT:
            self._complain(f"{told.member} was announced {told.what}, and a majority hears it")
        if told.what is Condition.FROZEN and now - node.well_since > HINDSIGHT:
            self.false_freezes += 1
            self._complain(f"{told.member} was announced frozen, and runs")

    def _heard(self, node: SimNode) -> bool:
        """Whether more than half of the members of its network would hear this one if it spoke."""
        network, nodes = self._world.network, self._world.nodes
        if not (network.cut or network.parts or network.blocked):
            return True
        near = [name for name, other in nodes.items() if other.member.network is node.member.network]
        ways = (network.open(node.name, name) and network.open(name, node.name) for name in near)
        return sum(ways) > len(near) // 2

    def _one_announces(self, now: float) -> None:
        heads = self.announcing()
        if len(heads) > 1 and len(self._networks(heads)) < sum(len(self._networks([head])) for head in heads):
            self._complain(f"{' and '.join(heads)} could announce at the same time")

    def _networks(self, heads: list[str]) -> set[Network]:
        """The networks of whose members these may announce deaths now."""
        nodes, now = (self._world.nodes[head] for head in heads), self._world.now
        return {
            network
            for node in nodes
            if node.machine is not None
            for network in node.machine.announces(now + node.offset)
        }

    def announcing(self) -> list[str]:
        """The members that may announce now, in the order of names."""
        nodes, now = self._world.nodes, self._world.now
        held = (nodes[name] for name in sorted(self._in_office) if name in nodes)
        return [
            node.name
            for node in held
            if node.process is SimProcess.RUNNING
            and node.machine is not None
            and node.machine.announces(now + node.offset)
        ]

    def _complain(self, sentence: str) -> None:
        self.complaints.append(f"{self._world.now:.3f} {sentence}")
