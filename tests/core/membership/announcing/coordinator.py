"""A coordinator for the tests of what it announces."""

from __future__ import annotations

from kubesonar.core.membership.announcing.announcer import Announcer, AnnouncingOptions
from kubesonar.core.membership.events import (
    Announce,
    Elected,
    HostProbed,
    ProbeHost,
    Quorum,
    QuorumQuery,
    Received,
    RenewAlerts,
)
from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import Reachability, StatusClaim
from kubesonar.model import Condition, Network

ME, WATCHER = "a/pod/7473", "b/pod/7473"


class Coordinator:
    """An announcer that leads a majority of these `networks`, and sees itself what is claimed."""

    def __init__(self, members: MemberView, networks: frozenset[Network] = frozenset(Network)) -> None:
        self.machine = Announcer(ME, AnnouncingOptions())
        self.sent: list[object] = []
        self.networks = networks
        self._alive: set[str] = set()
        self.feed(0.0, members)
        self.feed(0.0, Elected(ME, 1, True))

    def feed(self, now: float, event: object = None) -> list[Announce]:
        """The announcements that follow."""
        actions = list(self.machine.step(now, event))
        for action in actions:
            if isinstance(action, QuorumQuery):
                actions += self.machine.step(now, Quorum(self.networks, frozenset(), 100.0, 0.5))
            elif isinstance(action, ProbeHost):
                seen = Reachability.AGENT if action.target in self._alive else Reachability.SILENT
                actions += self.machine.step(now, HostProbed(action.number, action.target, seen))
        self.sent += actions
        return [action for action in actions if isinstance(action, Announce)]

    def claim(self, now: float, claim: StatusClaim) -> list[Announce]:
        """The announcements that follow when a member claims this, truly."""
        (self._alive.add if claim.what is Condition.BACK else self._alive.discard)(claim.member)
        return self.feed(now, Received(WATCHER, 1, claim))

    def until(self, now: float) -> list[Announce]:
        """The announcements of its timers up to then."""
        found: list[Announce] = []
        while self.machine.due is not None and self.machine.due <= now:
            found += self.feed(self.machine.due)
        return found

    def renewed(self) -> list[tuple[str, Condition]]:
        """What was renewed last."""
        (last,) = [action for action in self.sent if isinstance(action, RenewAlerts)][-1:]
        return [(one.node or one.member, one.what) for one in last.announced]
