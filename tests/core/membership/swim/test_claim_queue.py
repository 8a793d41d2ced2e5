"""What a member claims to the coordinator, until that acknowledges it."""

from __future__ import annotations

from kubesonar.core.membership.events import Send
from kubesonar.core.membership.messages import StatusClaim, StatusClaimAck
from kubesonar.core.membership.swim.claim_queue import ClaimQueue
from kubesonar.core.timers import Timers
from kubesonar.model import Condition

NAME = "m3"
FROZEN = StatusClaim(NAME, 7, 0, Condition.FROZEN, 1.5)


class Watcher:
    """A queue whose timers run, and the claims that it `sent`."""

    def __init__(self) -> None:
        self.sent: list[StatusClaim] = []
        self._timers = Timers()
        self.queue = ClaimQueue(self._timers, self._emit)
        self.queue.coordinator_changed(0.0, "m5")

    def _emit(self, action: object) -> None:
        if isinstance(action, Send) and isinstance(action.message, StatusClaim):
            self.sent.append(action.message)

    def until(self, now: float) -> list[StatusClaim]:
        """The claims that are sent by then."""
        self.sent.clear()
        while self._timers.due is not None and self._timers.due <= now:
            self._timers.run(self._timers.due)
        return self.sent


def test_what_was_announced_of_the_node_is_said_so_to_the_next_coordinator_also_when_it_ends() -> None:
    watcher = Watcher()
    watcher.queue.put(1.0, FROZEN)
    watcher.queue.acknowledged("m5", StatusClaimAck(NAME, 7, 0, Condition.FROZEN, True, of_node=True))
    watcher.queue.coordinator_changed(2.0, "m4")
    assert [(one.told, one.of_node) for one in watcher.sent[-1:]] == [(True, True)]
    watcher.queue.put(3.0, StatusClaim(NAME, 7, 1, Condition.BACK))
    assert (watcher.sent[-1].ends, watcher.sent[-1].of_node) == (Condition.FROZEN, True)
    watcher.queue.left(4.0, NAME)
    left = watcher.sent[-1]
    assert (left.what, left.ends, left.of_node) == (Condition.LEFT, Condition.FROZEN, True)


def test_what_was_then_announced_of_the_member_alone_ends_alone() -> None:
    watcher = Watcher()
    watcher.queue.put(1.0, FROZEN)
    for of_node in (True, False):
        watcher.queue.acknowledged("m5", StatusClaimAck(NAME, 7, 0, Condition.FROZEN, True, of_node=of_node))
    watcher.queue.put(3.0, StatusClaim(NAME, 7, 1, Condition.BACK))
    assert (watcher.sent[-1].ends, watcher.sent[-1].of_node) == (Condition.FROZEN, False)


def test_a_condition_that_no_coordinator_announced_ends_what_one_announced_before() -> None:
    watcher = Watcher()
    watcher.queue.put(1.0, FROZEN)
    watcher.queue.acknowledged("m5", StatusClaimAck(NAME, 7, 0, Condition.FROZEN, True, of_node=True))
    watcher.queue.put(2.0, StatusClaim(NAME, 7, 0, Condition.DEAD, 5.0))
    watcher.queue.put(3.0, StatusClaim(NAME, 7, 1, Condition.BACK))
    assert (watcher.sent[-1].ends, watcher.sent[-1].of_node) == (Condition.FROZEN, True)


def test_a_return_is_not_repeated_once_a_later_incarnation_of_it_is_announced() -> None:
    watcher = Watcher()
    watcher.queue.put(1.0, StatusClaim(NAME, 7, 1, Condition.BACK))
    assert len(watcher.until(2.5)) == 1
    watcher.queue.acknowledged("m5", StatusClaimAck(NAME, 7, 0, Condition.BACK, True))
    assert len(watcher.until(5.0)) == 1, "that was an earlier return"
    watcher.queue.acknowledged("m5", StatusClaimAck(NAME, 7, 2, Condition.BACK, True))
    assert watcher.until(60.0) == []
