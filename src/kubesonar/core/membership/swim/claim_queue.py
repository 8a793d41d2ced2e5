"""What this member holds of others, on its way to the coordinator: said again until it is noted, and again to every new
coordinator, so that a successor may tell what its predecessor could not."""

from __future__ import annotations

from typing import Any

import msgspec

from kubesonar.core.membership.events import Send
from kubesonar.core.membership.messages import StatusClaim, StatusClaimAck
from kubesonar.core.timers import Timer, Timers
from kubesonar.model import Condition

REPEAT = 1.0
"""A claim that is not noted is said again after this long (s), then after twice as long, up to `REPEAT_MOST`."""

REPEAT_MOST = 4.0

VALID = 6.0
"""A claim that was not confirmed for so long (s) is not said, until it is: a case is looked into about every 4 s."""

KEPT = 60.0
"""How long a claim that a member is back is kept for a coordinator that is still to be elected (s)."""


class _Standing:
    __slots__ = ("announced", "claim", "confirmed", "noted", "pause", "since", "timer", "until")

    def __init__(self, claim: StatusClaim, since: float, until: float) -> None:
        self.claim = claim
        self.since = since
        self.confirmed = 0.0
        self.until = until
        self.noted = self.announced = False
        self.pause = REPEAT
        self.timer: Timer | None = None


class Claims:
    """At most one claim about a member. That it was noted is forgotten when the coordinator changes."""

    def __init__(self, agenda: Timers, out: list[Any]) -> None:
        self._agenda = agenda
        self._out = out
        self._coordinator = ""
        self._standing: dict[str, _Standing] = {}

    def put(self, now: float, claim: StatusClaim) -> None:
        """Holds `claim` from now on, in the place of what was held of that member."""
        before = self._standing.get(claim.member)
        if before is not None and claim.what is Condition.BACK:
            ends = before.claim.what if before.announced else before.claim.ends
            claim = msgspec.structs.replace(claim, ends=ends)
        until = now + KEPT if claim.what is Condition.BACK else float("inf")
        standing = self._standing[claim.member] = _Standing(claim, now - claim.silent, until)
        standing.confirmed = now
        self._say(now, standing)

    def confirm(self, now: float, name: str) -> None:
        """What is held of that member was found again."""
        standing = self._standing.get(name)
        if standing is not None:
            standing.confirmed = now

    def drop(self, name: str) -> None:
        """Nothing is held of that member any more."""
        self._standing.pop(name, None)

    def held(self, name: str) -> StatusClaim | None:
        """What is held of that member."""
        standing = self._standing.get(name)
        return standing.claim if standing else None

    def noted(self, source: str, receipt: StatusClaimAck) -> None:
        """A coordinator has noted it, or told it to the world."""
        standing = self._standing.get(receipt.member)
        if standing is None or source != self._coordinator:
            return
        claim = standing.claim
        if (claim.epoch, claim.turn, claim.what) == (receipt.epoch, receipt.turn, receipt.what):
            standing.noted = standing.announced = True
            if receipt.told and not claim.told:
                standing.claim = msgspec.structs.replace(claim, told=True)

    def office(self, now: float, coordinator: str) -> None:
        """The coordinator is another."""
        self._coordinator = coordinator
        for standing in list(self._standing.values()):
            standing.noted, standing.pause = False, REPEAT
            self._say(now, standing)

    def _say(self, now: float, standing: _Standing) -> None:
        member = standing.claim.member
        if standing.noted or self._standing.get(member) is not standing:
            return
        if now > standing.until:
            del self._standing[member]
        elif self._coordinator:
            if standing.claim.what is Condition.BACK or now - standing.confirmed <= VALID:
                silent = min(86_400.0, now - standing.since)
                self._out.append(Send(self._coordinator, msgspec.structs.replace(standing.claim, silent=silent)))
            if standing.timer is not None:
                standing.timer.cancel()
            standing.timer = self._agenda.at(now + standing.pause, self._say, standing)
            standing.pause = min(2 * standing.pause, REPEAT_MOST)
