"""The claims that a coordinator holds, pending or announced, and how two claims about one member compare."""

from __future__ import annotations

from kubesonar.core.membership.messages import StatusClaim
from kubesonar.core.membership.notices import notice_id
from kubesonar.model import Condition

READY_GAP = 3.0
"""Seconds without a confirmation after which a claim is ready anew: more than the time from one own look to the next
(`own_looks.py`), less than the brake holds."""


_GONE_CANNOT_FREEZE = (Condition.GONE, Condition.FROZEN)


class PendingClaim:
    """A claim that is not announced yet: when it came `first` and `last`, and from whom. `joined`: another member of
    its node was claimed or seen to be in that condition too."""

    __slots__ = ("_ready", "_ready_last", "claim", "first", "joined", "last", "sources")

    def __init__(self, claim: StatusClaim, first: float) -> None:
        self.claim = claim
        self.first = self.last = first
        self._ready = self._ready_last = float("-inf")
        self.sources: list[str] = []
        self.joined = False

    def ready(self, now: float) -> float:
        """Note that it could be announced now; return for how many seconds it could be, but for what is open of its
        node."""
        if now - self._ready_last > READY_GAP:
            self._ready = now
        self._ready_last = now
        return now - self._ready


class AnnouncedClaim:
    """A claim that was announced here or by an earlier coordinator: `at` what time, when it came `first`, as part of
    which `event`, and who gets an acknowledgement once it is delivered (`told`). `quiet`: a return of which nothing
    was announced, as nothing was known that it ends."""

    __slots__ = ("at", "claim", "event", "first", "quiet", "sources", "told")

    def __init__(
        self, claim: StatusClaim, at: float, sources: list[str], first: float, node: str = "", *, quiet: bool = False
    ) -> None:
        self.claim = claim
        self.at = at
        self.first = first
        self.sources = sources
        self.told = claim.told
        self.quiet = quiet
        self.event = NodeEvent((claim,), node)

    @property
    def id(self) -> str:
        """The id of the announcement."""
        return self.event.id


class NodeEvent:
    """An event that befell one or more members of a node at once: their `claims`, the first one that of the lowest id.
    Of several it is announced once, of the `node` where they are all that it has; the others `answering`."""

    __slots__ = ("answering", "claims", "id", "node")

    def __init__(self, claims: tuple[StatusClaim, ...], node: str = "", answering: tuple[str, ...] = ()) -> None:
        self.claims = claims
        self.node = node
        self.answering = answering
        first = claims[0]
        self.id = notice_id(node or first.member, first.epoch, first.what, first.incarnation)

    @property
    def members(self) -> tuple[str, ...]:
        """The members that it befell."""
        return tuple(claim.member for claim in self.claims)


def same(one: StatusClaim, other: StatusClaim) -> bool:
    """Whether both are the same transition of the same life."""
    return (one.epoch, one.incarnation, one.what) == (other.epoch, other.incarnation, other.what)


def known(announced: StatusClaim, claim: StatusClaim) -> bool:
    """Whether `claim` says no more than what was announced: the same, or something of an earlier life. A member that
    never heard the dead one does not know in which epoch it died (0). An agent that is gone cannot freeze: where
    refusals are lost on their way, its host's echoes make it look frozen."""
    what = Condition.GONE if (announced.what, claim.what) == _GONE_CANNOT_FREEZE else claim.what
    if announced.what is what and 0 in (announced.epoch, claim.epoch):
        return True
    if claim.what is Condition.BACK and claim.epoch != announced.epoch:
        return False  # alive in another epoch, which is lower where its clock was set back
    same_life = (announced.epoch, announced.incarnation) == (claim.epoch, claim.incarnation)
    return (same_life and announced.what is what) or earlier(claim, announced)


def ends(claim: StatusClaim, announced: AnnouncedClaim | None) -> bool:
    """Whether there is an announced condition that this claim of BACK ends."""
    if announced is None or announced.quiet:
        return claim.ends is not Condition.BACK
    return announced.claim.what is not Condition.BACK


def earlier(one: StatusClaim, other: StatusClaim) -> bool:
    """Whether `one` is of an earlier epoch, or of an earlier incarnation in the same, than `other`."""
    return (one.epoch, one.incarnation) < (other.epoch, other.incarnation)
