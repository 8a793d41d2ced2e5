"""Keeps what a coordinator knows of each member from the acknowledgements of its heartbeats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kubesonar.core.membership.member_view import MemberView
from kubesonar.model import Network

NEVER = float("-inf")


class Progress:
    """One member: `number` of the last heartbeat to it, when that one and the one before were sent (`sent`, `before`),
    when the last one that it acknowledged was sent (`acked`), and the epoch and incarnation of that acknowledgement. It
    answered at all, if only to say that it follows another, at `answered`."""

    __slots__ = ("acked", "answered", "before", "epoch", "incarnation", "number", "sent")

    def __init__(self) -> None:
        self.number = 0
        self.sent = self.before = self.acked = self.answered = NEVER
        self.epoch = self.incarnation = 0


class Followers:
    """The members other than the coordinator `me`. A member follows while its last acknowledged heartbeat was sent at
    `since` or later; `leader.py` says since when that counts."""

    def __init__(self, me: str, view: MemberView) -> None:
        self._me = me
        self._progress: dict[str, Progress] = {}
        self.change(view)

    def __iter__(self) -> Iterator[str]:
        return iter(self._progress)

    def change(self, view: MemberView) -> None:
        """Take over the members; those that stay keep their progress."""
        self._view = view
        known = self._progress
        self._progress = {name: known.get(name) or Progress() for name in view.members if name != self._me}

    def get(self, name: str) -> Progress | None:
        """The progress of a member, None for one that is not on the roster."""
        return self._progress.get(name)

    def heartbeat_sent(self, name: str, now: float, number: int) -> None:
        """Note that the heartbeat of that number goes to a member now."""
        progress = self._progress[name]
        progress.number, progress.before, progress.sent = number, progress.sent, now

    def acknowledged(self, name: str, number: int, epoch: int, incarnation: int) -> Progress | None:
        """Note an acknowledgement, and return the member's progress; None where it is for neither of the last two
        heartbeats."""
        progress = self._progress.get(name)
        if progress is None or not progress.number - 1 <= number <= progress.number:
            return None
        progress.acked = max(progress.acked, progress.sent if number == progress.number else progress.before)
        progress.epoch, progress.incarnation = epoch, incarnation
        return progress

    def answered(self, name: str, now: float) -> None:
        """Note that a member answered, whomever it follows."""
        progress = self._progress.get(name)
        if progress is not None:
            progress.answered = now

    def count(self, network: Network, since: float) -> int:
        """The number of members of that network that follow."""
        return sum(self._progress[name].acked >= since for name in self._of(network))

    def reached(self, network: Network, since: float) -> int:
        """The number of members of that network that answered since that time."""
        return sum(self._progress[name].answered >= since for name in self._of(network))

    def unheard(self, networks: Iterable[Network], since: float) -> frozenset[str]:
        """The members of these networks that do not follow."""
        names = (name for network in networks for name in self._of(network))
        return frozenset(name for name in names if self._progress[name].acked < since)

    def _of(self, network: Network) -> Iterator[str]:
        part = self._view.networks.get(network)
        return (name for name in part.members if name != self._me) if part is not None else iter(())

    def ranked(self, since: float) -> list[str]:
        """The members that follow, the highest rank first."""
        names = [name for name, progress in self._progress.items() if progress.acked >= since]
        return sorted(names, key=self._view.place)

    def youngest(self, since: float) -> str:
        """Of those that follow and may be elected, the member that was started last: in a rollout it has been restarted
        already, so that the office does not change hands at every restart. Empty where there is none."""
        names = [name for name in self.ranked(since) if self._view.eligible(name)]
        return max(names, key=lambda name: self._progress[name].epoch, default="")
