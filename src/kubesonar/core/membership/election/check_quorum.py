"""CheckQuorum (etcd raft): a coordinator that hears no majority reports it once, and after a while steps down.

It may be on the smaller side of a split, where nobody can do better; or it may be deaf on a link that is whole for
others, who then can. It cannot tell these apart, so it steps down and does not stand for a while, longer each time.
"""

from __future__ import annotations

from enum import Enum

ABSTENTION = 30.0
"""First abstention (s); each further one is twice as long, up to `LONGEST_ABSTENTION`. A shorter one lets a deaf
coordinator return before anybody else is elected."""

LONGEST_ABSTENTION = 600.0
"""Longest abstention (s): a member whose links are mended stands again after at most this."""

STEP_DOWN_DELAY = 5.0
"""Seconds from the report to stepping down: short enough to let others try, long enough for a short disturbance."""


class QuorumAction(Enum):
    """The duty of a coordinator: to report that it hears no majority, report that it does again, or step down."""

    NONE = "none"
    REPORT = "report"
    RECOVERED = "recovered"
    STEP_DOWN = "step_down"


class QuorumCheck:
    """Remembers since when no majority is heard, and whether that was reported: by this member, or by another
    coordinator on its side of the split. `patience` and `welcome` are seconds without a majority before the report;
    the longer counts, `welcome` only until the first majority."""

    __slots__ = ("_abstention", "_lost_at", "_patience", "_reported", "_reported_by_other", "_welcome", "stands_from")

    def __init__(self, patience: float, welcome: float) -> None:
        self._patience = patience
        self._welcome = welcome
        self._lost_at: float | None = None
        self._abstention = ABSTENTION
        self._reported = self._reported_by_other = False
        self.stands_from = float("-inf")

    def check(self, now: float, majority: bool) -> QuorumAction:
        """Take over whether a majority is heard now, and return what to do."""
        if majority:
            self._lost_at = None
            return self.recovered()
        if self._lost_at is None:
            self._lost_at = now
        overdue = now - self._lost_at - max(self._patience, self._welcome)
        if overdue >= STEP_DOWN_DELAY:
            return QuorumAction.STEP_DOWN
        if overdue >= 0 and not self._reported and not self._reported_by_other:
            self._reported = True
            return QuorumAction.REPORT
        return QuorumAction.NONE

    def recovered(self) -> QuorumAction:
        """Note that a majority is heard, by this member or by the coordinator it follows; RECOVERED where this member
        had reported the loss."""
        self._welcome = 0.0
        self._abstention = ABSTENTION
        self.stands_from = float("-inf")
        reported, self._reported, self._reported_by_other = self._reported, False, False
        return QuorumAction.RECOVERED if reported else QuorumAction.NONE

    def reported_by_other(self) -> None:
        """Another coordinator on this side of the split has made the report that would be this member's too."""
        self._reported_by_other = True

    def abstain(self, now: float) -> None:
        """Stand no more for a while."""
        self._lost_at = None
        self.stands_from = now + self._abstention
        self._abstention = min(2 * self._abstention, LONGEST_ABSTENTION)
