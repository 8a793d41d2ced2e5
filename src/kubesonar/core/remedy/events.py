"""Events and actions of the remedy: what goes into its machine and what comes out."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from kubesonar.core.remedy.dns_round import DnsRound


class PendingRestart(msgspec.Struct, frozen=True):
    """A restart whose successor has not answered yet: the pod, for how long it has been under way (s), and the uids of
    all DNS pods when it began."""

    uid: str
    name: str
    age: float
    before: frozenset[str]


class RemedyMemory(msgspec.Struct, frozen=True):
    """The memory that must outlive the process: how long ago (s) each restart of the last hour was, how many in a row
    did not help, and the one under way. `trial` is the uid of the last successor while it has yet to prove that it
    lasts."""

    restarts: tuple[float, ...] = ()
    unhelpful: int = 0
    pending: PendingRestart | None = None
    trial: str = ""

    def aged(self, seconds: float) -> RemedyMemory:
        """Return what it says so many seconds later."""
        pending = self.pending
        if pending is not None:
            pending = replace(pending, age=pending.age + seconds)
        return replace(self, restarts=tuple(age + seconds for age in self.restarts), pending=pending)


class Leading(msgspec.Struct, frozen=True):
    """This doctor is the one that acts from now on, and that is what was remembered."""

    memory: RemedyMemory


class NotLeading(msgspec.Struct, frozen=True):
    """Another doctor acts, or nobody knows who does."""


class Eviction(StrEnum):
    """The outcome of a restart that was asked for.

    `BLOCKED`: refused for now, as by a PodDisruptionBudget. `REFUSED`: refused for good, as by two budgets or a right
    that is missing. `GONE`: the pod was not there any more. `UNCERTAIN`: no answer came, so it may have been done.
    `NOT_TRIED`: it could not be written down first, so nothing was done."""

    DONE = "done"
    BLOCKED = "blocked"
    REFUSED = "refused"
    GONE = "gone"
    UNCERTAIN = "uncertain"
    NOT_TRIED = "not_tried"

    @property
    def undone(self) -> bool:
        """Whether it is known that the pod was not restarted by this doctor."""
        return self not in (Eviction.DONE, Eviction.UNCERTAIN)


class Evicted(msgspec.Struct, frozen=True):
    """The end of the `RESTART` of this pod, with the API server's sentence."""

    uid: str
    eviction: Eviction
    detail: str = ""


RemedyEvent: TypeAlias = DnsRound | Leading | NotLeading | Evicted


class RemedyVerb(StrEnum):
    """The decision about a pod that looks sick."""

    RESTART = "restart"
    SUGGEST = "suggest"
    REFUSE = "refuse"


class RemedyReason(StrEnum):
    """The reason of a decision: the first that applies, in this order for refusals."""

    SICK = "sick"
    ALL_SICK = "all_sick"
    PARTIAL = "partial"
    CUT_OFF = "cut_off"
    UNREACHED = "unreached"
    ROLLOUT = "rollout"
    PLANNED = "planned"
    NODE = "node"
    NOT_RUNNING = "not_running"
    NO_OWNER = "no_owner"
    TOO_YOUNG = "too_young"
    TOO_SHORT = "too_short"
    LAST = "last"
    BRAKE = "brake"
    GIVEN_UP = "given_up"
    BLOCKED = "blocked"
    PENDING = "pending"
    BUDGET = "budget"
    NOT_LEADING = "not_leading"


class Decision(msgspec.Struct, frozen=True):
    """The decision what is to be done about a pod and why, with a sentence for a person. A shell carries out `RESTART`
    and answers with `Evicted`."""

    verb: RemedyVerb
    uid: str
    name: str
    namespace: str
    reason: RemedyReason
    sentence: str


class Remember(msgspec.Struct, frozen=True):
    """This must be written down. Where it comes before a `RESTART`, that is not carried out unless it was."""

    memory: RemedyMemory


class RestartOutcome(msgspec.Struct, frozen=True):
    """Whether a restart of the pod of that name helped, and what became of it."""

    name: str
    helped: bool
    sentence: str


class RoundReport(msgspec.Struct, frozen=True):
    """The end of a round: how many DNS pods answer, of how many, what was decided and what became of restarts, in one
    sentence. `pending` is the pod whose successor is waited for; `given_up`: restarts do not help."""

    answering: int
    pods: int
    sentence: str
    sick: tuple[str, ...] = ()
    pending: str = ""
    given_up: bool = False


RemedyAction: TypeAlias = Remember | Decision | RestartOutcome | RoundReport
