"""A coordinator that hears no majority: it says so once, and after a while lets others try.

It may be on the smaller side of a split, then nobody there can do better; or it may be deaf on a link that others have
whole, then somebody else can. It cannot tell these apart, so it resigns and abstains, longer each time.
"""

from __future__ import annotations

from enum import Enum

ABSTAIN = 30.0
"""First abstention (s); each is twice as long as the one before."""

ABSTAIN_MOST = 600.0

RESIGN = 5.0
"""How long after its report a coordinator without a majority resigns (s)."""


class Duty(Enum):
    """What is to be done: say that no majority is heard, that one is heard again, or give up the office."""

    NONE = "none"
    REPORT = "report"
    RECOVERED = "recovered"
    RESIGN = "resign"


class Minority:
    """`reported` from the report until a majority is heard again, by ourselves or by the coordinator we follow;
    `spoken_for` when a coordinator on our side has reported it before us."""

    __slots__ = ("_abstention", "_patience", "_powerless", "_welcome", "abstains_until", "reported", "spoken_for")

    def __init__(self, patience: float, welcome: float) -> None:
        self._patience = patience
        self._welcome = welcome
        self._powerless: float | None = None
        self._abstention = ABSTAIN
        self.abstains_until = float("-inf")
        self.reported = self.spoken_for = False

    def judge(self, now: float, majority: bool) -> Duty:
        """What a coordinator should do. Until it has once heard a majority, others may still be on their way up, and it
        waits for longer."""
        if majority:
            self._powerless = None
            return self.recovered()
        if self._powerless is None:
            self._powerless = now
        wait = now - self._powerless - max(self._patience, self._welcome)
        if wait >= RESIGN:
            return Duty.RESIGN
        if wait >= 0 and not self.reported and not self.spoken_for:
            self.reported = True
            return Duty.REPORT
        return Duty.NONE

    def recovered(self) -> Duty:
        """A majority is heard, here or by the coordinator that we follow: RECOVERED if that is news."""
        self._welcome = 0.0
        self._abstention = ABSTAIN
        self.abstains_until = float("-inf")
        was, self.reported, self.spoken_for = self.reported, False, False
        return Duty.RECOVERED if was else Duty.NONE

    def abstain(self, now: float) -> None:
        """Stands no more for a while."""
        self._powerless = None
        self.abstains_until = now + self._abstention
        self._abstention = min(2 * self._abstention, ABSTAIN_MOST)
