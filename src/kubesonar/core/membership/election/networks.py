"""One coordinator for both networks: when a member follows one of the other network.

Each network elects by itself, so that networks which do not reach each other, or members of an older version, which
know nothing of the other network, have a coordinator. Coordinators send heartbeats to the members of both networks. One
that hears that the other reaches all that follow it steps down for it, and its followers go over.
"""

from __future__ import annotations

from kubesonar.core.membership.election.follower import FollowerState
from kubesonar.core.membership.election.followers import NEVER
from kubesonar.core.membership.messages import Heartbeat
from kubesonar.model import Network

PREFERRED = Network.HOST
"""The network whose coordinator stays where each could take over from the other: an agent in the host network can
still tell that the pod network is gone."""

GRACE = 4.0
"""Intervals for which a member follows a coordinator of the other network that has no majority of its own network. With
less, it is given up before all have gone over to it; with more, a network that it does not reach waits for longer."""


class NetworkCrossing:
    """Decides whether a member may follow a coordinator of the other network: one that a majority of its own network
    follows, or that its own coordinator named as successor, for as long as a majority takes to go over."""

    __slots__ = ("_successor", "_until", "awaited_until")

    def __init__(self) -> None:
        self._successor = ""
        self._until = self.awaited_until = NEVER

    def handed_over(self, successor: str, until: float) -> None:
        """Note that the coordinator stepped down for this member (empty: for nobody), and await it until that time."""
        self._successor, self._until = successor, float("inf")
        self.awaited_until = until

    def awaits(self, now: float) -> bool:
        """Whether a successor is to be heard yet, so that no election is called."""
        return now < self.awaited_until

    def may_follow(self, now: float, source: str, heartbeat: Heartbeat, follower: FollowerState) -> bool:
        """Return whether to follow the sender of this heartbeat, a member of the other network. One that hears another
        coordinator keeps that."""
        if follower.coordinator != source and follower.fresh(now):
            return False
        if heartbeat.announces:
            self._successor, self._until = source, now + GRACE * heartbeat.interval
        elif source == self._successor and self._until == float("inf"):
            self._until = now + GRACE * heartbeat.interval
        follows = source == self._successor and now <= self._until
        if follows:
            self.awaited_until = NEVER
        return follows
