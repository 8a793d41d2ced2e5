"""Claims about other members on their way to the coordinator: each is repeated until it is acknowledged, and again to
every new coordinator, so that a successor announces what its predecessor could not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from kubesonar.core.membership.events import Send
from kubesonar.core.membership.messages import StatusClaim, StatusClaimAck
from kubesonar.core.timers import Timer, Timers
from kubesonar.model import Condition

REPEAT = 1.0
"""Seconds after which a claim that is not acknowledged is repeated; the pause doubles up to `LONGEST_REPEAT`. Less
costs messages, more delays an announcement when a datagram is lost."""

LONGEST_REPEAT = 4.0
"""Longest pause between two repetitions (s): less than `claim_book.FRESH`, after which a claim lapses."""

VALID = 6.0
"""Seconds for which a claim is sent after it was last confirmed: a suspicion is looked into about every 4 s, and a
claim that is not confirmed any more may be wrong."""

KEPT = 60.0
"""Seconds for which a claim of BACK or LEFT is kept for a coordinator that is still to be elected."""

NOTHING = (Condition.BACK, False)
"""The condition that is held of a member of which nothing is announced that has not ended."""


class QueuedClaim:
    """A claim, silent `since` that time, `confirmed` at that one, and dropped after `until`. `acknowledged` by the
    present coordinator, `announced` by any; `before` is the condition that was announced of the member before, and
    whether of its whole node, NOTHING for none."""

    __slots__ = ("acknowledged", "announced", "before", "claim", "confirmed", "pause", "since", "timer", "until")

    def __init__(self, now: float, claim: StatusClaim, before: tuple[Condition, bool] = NOTHING) -> None:
        self.claim = claim
        self.before = before
        self.since = now - claim.silent
        self.confirmed = now
        self.until = now + KEPT if claim.what.ends else float("inf")
        self.acknowledged = self.announced = False
        self.pause = REPEAT
        self.timer: Timer | None = None

    @property
    def held(self) -> tuple[Condition, bool]:
        """The condition that is announced of the member and that an end of it ends, and whether it was announced of its
        whole node; NOTHING for none."""
        claim = self.claim
        if claim.what.ends:
            return NOTHING if self.announced else (claim.ends, claim.of_node)
        return (claim.what, claim.of_node) if self.announced else self.before


class ClaimQueue:
    """Holds at most one claim about each member."""

    def __init__(self, timers: Timers, emit: Callable[[Any], None]) -> None:
        self._timers = timers
        self._emit = emit
        self._coordinator = ""
        self._claims: dict[str, QueuedClaim] = {}

    def put(self, now: float, claim: StatusClaim) -> None:
        """Send `claim` from now on, in the place of the one before about that member."""
        before = self._claims.get(claim.member)
        held = before.held if before is not None else NOTHING
        if before is not None and claim.what.ends:
            claim = msgspec.structs.replace(claim, ends=held[0], of_node=held[1])
        queued = self._claims[claim.member] = QueuedClaim(now, claim, held)
        self._send(now, queued)

    def adopt(self, now: float, claim: StatusClaim) -> None:
        """Hold a claim that the present coordinator announced, to be sent to the next one."""
        queued = self._claims[claim.member] = QueuedClaim(now, claim)
        queued.acknowledged = queued.announced = True

    def announced(self, name: str) -> None:
        """Note that the claim about this member was announced, by an earlier coordinator."""
        self._claims[name].announced = True

    def confirm(self, now: float, name: str) -> None:
        """Note that the claim about this member was found true again."""
        queued = self._claims.get(name)
        if queued is not None:
            queued.confirmed = now

    def left(self, now: float, name: str) -> None:
        """Claim that this member left, where something is announced of it, in the place of any other claim."""
        queued = self._claims.pop(name, None)
        what, of_node = queued.held if queued is not None else NOTHING
        if queued is not None and not what.ends:
            epoch, incarnation = queued.claim.epoch, queued.claim.incarnation
            self.put(now, StatusClaim(name, epoch, incarnation, Condition.LEFT, ends=what, of_node=of_node))

    def drop(self, name: str) -> None:
        """Send no claim about this member any more."""
        self._claims.pop(name, None)

    def acknowledged(self, source: str, ack: StatusClaimAck) -> None:
        """Take over an acknowledgement of the coordinator. That of a return may be of a later incarnation than the one
        in which the member was seen here."""
        queued = self._claims.get(ack.member)
        if queued is None or source != self._coordinator:
            return
        claim = queued.claim
        mine, theirs = (claim.epoch, claim.incarnation), (ack.epoch, ack.incarnation)
        if claim.what is ack.what and (mine == theirs or (mine < theirs and ack.what is Condition.BACK)):
            queued.acknowledged = queued.announced = True
            told = claim.told or ack.told
            if (told, ack.of_node) != (claim.told, claim.of_node):
                queued.claim = msgspec.structs.replace(claim, told=told, of_node=ack.of_node)

    def coordinator_changed(self, now: float, coordinator: str) -> None:
        """Send all claims to this coordinator (empty: to nobody yet)."""
        self._coordinator = coordinator
        for queued in list(self._claims.values()):
            queued.acknowledged, queued.pause = False, REPEAT
            self._send(now, queued)

    def _send(self, now: float, queued: QueuedClaim) -> None:
        member = queued.claim.member
        if queued.acknowledged or self._claims.get(member) is not queued:
            return
        if now > queued.until:
            del self._claims[member]
        elif self._coordinator:
            if queued.claim.what.ends or now - queued.confirmed <= VALID:
                silent = min(86_400.0, now - queued.since)
                self._emit(Send(self._coordinator, msgspec.structs.replace(queued.claim, silent=silent)))
            if queued.timer is not None:
                queued.timer.cancel()
            queued.timer = self._timers.at(now + queued.pause, self._send, queued)
            queued.pause = min(2 * queued.pause, LONGEST_REPEAT)
