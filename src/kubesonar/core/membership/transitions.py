"""Claims that a coordinator holds, before and after it announced them."""

from __future__ import annotations

from kubesonar.core.membership.messages import StatusClaim
from kubesonar.core.membership.notices import notice_id
from kubesonar.model import Condition


class Pending:
    """A claim that is not announced yet: when it was first and last said, and by whom."""

    __slots__ = ("claim", "first", "last", "sources")

    def __init__(self, claim: StatusClaim, first: float) -> None:
        self.claim = claim
        self.first = self.last = first
        self.sources: list[str] = []


class Done:
    """A claim that was announced here or by an earlier coordinator: when it was, when it was `first` claimed here, by
    which `id`, and who is to hear that it was `told`."""

    __slots__ = ("at", "claim", "first", "id", "sources", "told")

    def __init__(self, claim: StatusClaim, at: float, sources: list[str], first: float) -> None:
        self.claim = claim
        self.at = at
        self.first = first
        self.sources = sources
        self.told = claim.told
        self.id = notice_id(claim.member, claim.epoch, claim.what, claim.turn)


def same(one: StatusClaim, other: StatusClaim) -> bool:
    """Whether both are the same transition of the same life."""
    return (one.epoch, one.turn, one.what) == (other.epoch, other.turn, other.what)


def known(done: StatusClaim, claim: StatusClaim) -> bool:
    """Whether `claim` says no more than what was announced: the same, or something of an earlier life. A member that
    has never heard the dead one does not know in which epoch it died."""
    if done.what is claim.what and 0 in (done.epoch, claim.epoch):
        return True
    if claim.what is Condition.BACK and claim.epoch != done.epoch:
        return False  # alive in another epoch, which is lower where its clock was set back
    return same(done, claim) or earlier(claim, done)


def ends(claim: StatusClaim, done: Done | None) -> bool:
    """Whether something was announced that this return ends."""
    if done is None:
        return claim.ends is not Condition.BACK
    return done.claim.what is not Condition.BACK


def earlier(one: StatusClaim, other: StatusClaim) -> bool:
    """Whether `one` is of an earlier life, or incarnation, than `other`."""
    return (one.epoch, one.turn) < (other.epoch, other.turn)
