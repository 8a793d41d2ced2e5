"""Virtual clusters for the tests."""

from __future__ import annotations

from random import Random

from kubesonar.core.membership.events import Announce, Doubted, Elected, MembershipAction
from kubesonar.core.membership.instance import MembershipOptions
from kubesonar.model import Condition
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
        self.world.populate(member(f"m{number}", f"z{number % zones}") for number in range(1, members + 1))

    def _note(self, now: float, node: SimNode, action: MembershipAction) -> None:
        if isinstance(action, Announce):
            self.said.append((now, node.name, action.member, action.what))
            self.ids.append(action.id)
        elif isinstance(action, Doubted):
            self.doubted.append((node.name, action.what))
        elif isinstance(action, Elected) and action.mine:
            self.elected.append((now, node.name))

    def started(self, within: float = 0.5, settle: float = 20.0) -> Cluster:
        """All members started within so many seconds, and so many more passed."""
        for name in self.world.nodes:
            self.world.after(self.world.rng.random() * within, self.world.start, name)
        return self.run(within + settle)

    def run(self, seconds: float) -> Cluster:
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
