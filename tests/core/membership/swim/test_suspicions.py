"""What a coordinator announced is known by others as soon as it is, so that it ends whoever dies."""

from __future__ import annotations

import pytest

from kubesonar.core.membership.events import Announce, MembershipAction
from kubesonar.model import Condition
from kubesonar.sim.node import SimNode
from tests.sim.cluster import Cluster

TICKS = [0.0, 0.001, 0.002, 0.01, 0.125, 0.5, 1.0, 2.0, 3.0]
"""Seconds from the notice of a death to the death of the coordinator that told it."""


class CoordinatorDies:
    """A member dies, and after the notice of that its coordinator. When that one's death is told the member `leaves`
    the roster, or returns."""

    def __init__(self, members: int, seed: int, after: float, *, leaves: bool, loss: float = 0.0) -> None:
        self.cluster = Cluster(members, seed)
        self.world = self.cluster.world
        self.world.network.loss = loss
        self.cluster.started()
        self.first = self.cluster.coordinator
        self.victim = next(name for name in self.world.nodes if name != self.first)
        self._after, self._leaves = after, leaves
        self.world.watch.append(self._note)
        self.world.kill(self.victim)
        self.cluster.run(30)

    def _note(self, now: float, node: SimNode, action: MembershipAction) -> None:
        if not isinstance(action, Announce) or action.what.ends:
            return
        if action.member == self.victim and node.name == self.first:
            self.world.after(self._after, self.world.kill, self.first)
        elif action.member == self.first:
            self.world.after(0.0, self._end)

    def _end(self) -> None:
        if not self._leaves:
            self.world.start(self.victim)
        elif self.victim in self.world.nodes:
            self.world.remove([self.victim])

    def ends(self) -> list[Condition]:
        """What was told of the member after its death."""
        told = [what for name, what in self.cluster.told() if name == self.victim]
        return [what for what in told if what is not Condition.GONE]


@pytest.mark.parametrize("after", TICKS)
@pytest.mark.parametrize("members", [5, 7, 12])
def test_who_leaves_after_the_only_one_that_announced_its_death_died_is_told_to_have_left(
    members: int, after: float
) -> None:
    assert CoordinatorDies(members, 0, after, leaves=True).ends() == [Condition.LEFT]


@pytest.mark.parametrize("after", TICKS)
def test_who_returns_after_the_only_one_that_announced_its_death_died_is_told_back(after: float) -> None:
    assert CoordinatorDies(12, 0, after, leaves=False).ends() == [Condition.BACK]


def test_that_is_so_where_datagrams_are_lost() -> None:
    assert CoordinatorDies(12, 0, 0.5, leaves=True, loss=0.05).ends() == [Condition.LEFT]


def test_what_others_learned_costs_few_messages_while_it_lasts() -> None:
    cluster = Cluster(12).started()
    before = cluster.world.messages
    cluster.run(60)
    usual = cluster.world.messages - before
    cluster.world.kill("m3")
    cluster.run(15)
    before = cluster.world.messages
    cluster.run(60)
    assert cluster.world.messages - before < usual + 60 * 6
