"""Virtual clusters for the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from random import Random
from typing import Self

from kubesonar.core.membership.events import Announce, Doubted, Elected, MembershipAction
from kubesonar.core.membership.instance import MembershipOptions
from kubesonar.model import Condition, Member, Network
from kubesonar.sim.node import SimNode, SimProcess
from kubesonar.sim.oracles import Oracles
from kubesonar.sim.playing import member
from kubesonar.sim.world import SimWorld


class Cluster:
    """A world of `members` named m1, m2, …, of three zones, watched by the oracles; `said` is what was told of
    anybody, `elected` who took the office, both with their times."""

    def __init__(self, members: int, seed: int = 0, options: MembershipOptions | None = None, zones: int = 3) -> None:
        self.world = SimWorld(Random(seed), options, self._note)
        self.oracles = Oracles(self.world)
        self.world.watch.append(self.oracles.act)
        self.said: list[tuple[float, str, str, Condition]] = []
        self.ids: list[str] = []
        self.doubted: list[tuple[str, Condition]] = []
        self.elected: list[tuple[float, str]] = []
        self.world.populate(self._members(members, zones))

    def _members(self, count: int, zones: int) -> Iterator[Member]:
        yield from (member(f"m{number}", f"z{number % zones}") for number in range(1, count + 1))

    def _note(self, now: float, node: SimNode, action: MembershipAction) -> None:
        if isinstance(action, Announce):
            self.said.append((now, node.name, action.node or action.member, action.what))
            self.ids.append(action.id)
        elif isinstance(action, Doubted):
            self.doubted.append((node.name, action.what))
        elif isinstance(action, Elected) and action.mine:
            self.elected.append((now, node.name))

    def started(self, within: float = 0.5, settle: float = 20.0) -> Self:
        """All members started within so many seconds, and so many more passed."""
        for name in self.world.nodes:
            self.world.after(self.world.rng.random() * within, self.world.start, name)
        return self.run(within + settle)

    def run(self, seconds: float) -> Self:
        """Lets time pass."""
        self.world.run(self.world.now + seconds)
        return self

    @property
    def coordinator(self) -> str:
        """Who may announce; there has to be one."""
        (head,) = self.oracles.announcing()
        return head

    def told(self) -> list[tuple[str, Condition]]:
        """Of whom what was told, in order."""
        return [(name, what) for _, _, name, what in self.said]

    def running(self) -> list[SimNode]:
        """The nodes whose process runs."""
        return [node for node in self.world.nodes.values() if node.process is SimProcess.RUNNING]


class TwoNetworks(Cluster):
    """The same with two members on each of so many nodes: p1, p2, … in the pod network, h1, h2, … in the host's."""

    def _members(self, count: int, zones: int) -> Iterator[Member]:
        for n in range(1, count + 1):
            for letter, network in (("p", Network.POD), ("h", Network.HOST)):
                yield Member(f"{letter}{n}", f"node-{n}", ("192.0.2.1",), 7473, network, zone=f"z{n % zones}")

    def node(self, number: int) -> tuple[str, str]:
        """The members of a node."""
        return f"p{number}", f"h{number}"

    def power_off(self, *numbers: int) -> None:
        """Silence these nodes."""
        for number in numbers:
            for name in self.node(number):
                self.world.power_off(name)

    def power_on(self, *numbers: int) -> None:
        """Bring these nodes up again."""
        for number in numbers:
            for name in self.node(number):
                self.world.power_on(name)

    def part(self) -> None:
        """Keep the two networks from reaching each other."""
        self.oracles.moved()
        self.world.network.parts = {name: 1 for name in self.world.nodes if name.startswith("h")}

    def block(self, passes: Callable[[str, str], bool]) -> None:
        """Between the networks, let only those ways (source, target) carry anything that are said to."""
        self.oracles.moved()
        for source, target in product(self.world.nodes, repeat=2):
            if source[0] != target[0] and not passes(source, target):
                self.world.network.blocked.add((source, target))

    def heal(self) -> None:
        """Open all ways again."""
        self.oracles.moved()
        self.world.network.heal()
