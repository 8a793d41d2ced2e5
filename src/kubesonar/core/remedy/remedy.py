"""The remedy: decides, round by round, which DNS pod is restarted, and why the others are not."""

from __future__ import annotations

from typing import TypeAlias

from kubesonar.core.remedy.dns_round import DnsRound, DnsServerPod
from kubesonar.core.remedy.events import (
    Decision,
    Evicted,
    Eviction,
    Leading,
    NotLeading,
    RemedyAction,
    RemedyEvent,
    RemedyReason,
    RemedyVerb,
    Remember,
    RestartOutcome,
    RoundReport,
)
from kubesonar.core.remedy.history import LASTING, RestartHistory
from kubesonar.core.remedy.options import RemedyOptions, RepairMode
from kubesonar.core.remedy.quorum import Judged, PodHealth, Votes, count_votes
from kubesonar.core.remedy.sentences import decision_sentence, fails_sentence, report_sentence, short_duration
from kubesonar.core.remedy.tracking import PodFault, PodTracker

LEAST_AGE = 60.0
"""Seconds for which a pod must have been Ready, or Running and not Ready, or since its last container restart. Less,
and a pod that starts slowly is restarted; more, and a pod that is sick from the start is restarted later."""

LEAST_ROUNDS = 3
"""Rounds in a row in which a pod fails from a quorum, or from the only standpoint, before it is restarted. Fewer, and
lost packets restart one; more, and it is restarted later than it could be."""

HURRY = 1.0
"""Seconds after which another round is wanted where nothing but the number of rounds stands between a sick pod and its
restart. Less asks a sick pod all the time; more, and its restart waits for the next usual round."""

SUCCESSOR_TIMEOUT = 300.0
"""Seconds within which a successor must answer, else the restart did not help: an image is pulled in less."""

LEAST_MANY_SICK = 3
"""Fewest sick pods for the brake: of three pods two may well be sick each for its own reason."""

RETRY_BLOCKED = 15.0
"""Seconds after which a restart that was refused for now is tried again."""

RETRY_REFUSED = 600.0
"""The same for one refused for good: an operator may have changed the budgets or the rights."""


_ABSENT = (PodHealth.SICK, PodHealth.CUT_OFF, PodHealth.UNREACHED)
"""Healths of a pod that answers hardly anybody, for whatever reason: so many at once have a common cause."""

_Reason: TypeAlias = tuple[bool, RemedyReason, dict[str, str]]
"""Whether a reason against a restart applies, the reason, and the words that its sentence needs."""


class DnsRemedy:
    """A machine (core/machine.py) that takes a `RemedyEvent` and returns `RemedyAction`s: for each round a decision on
    each pod that looks sick, and a report. `due` is when it wants the next round, None where the usual time will do:
    where no rounds come, nothing is known. It restarts only between `Leading` and `NotLeading`, one pod at a time."""

    def __init__(self, options: RemedyOptions) -> None:
        self.due: float | None = None
        self._options = options
        self._history = RestartHistory(options)
        self._leading = False
        self._tracker = PodTracker()
        self._blocked: dict[str, tuple[float, str]] = {}
        self._missing_told = False

    def step(self, now: float, event: RemedyEvent | None = None) -> list[RemedyAction]:
        """Take one event and return the actions in order."""
        if isinstance(event, DnsRound):
            return self._round(now, event)
        if isinstance(event, Evicted):
            return self._evicted(now, event)
        if isinstance(event, Leading):
            self._leading = True
            self._history.recall(now, event.memory)
        elif isinstance(event, NotLeading):
            self._leading = False
            self._history.drop()
        return []

    def _evicted(self, now: float, event: Evicted) -> list[RemedyAction]:
        pending = self._history.pending
        if pending is None or pending[0] != event.uid or not event.eviction.undone:
            return []
        self._history.withdraw()
        pause = RETRY_REFUSED if event.eviction is Eviction.REFUSED else RETRY_BLOCKED
        self._blocked[event.uid] = now + pause, event.detail
        return [Remember(self._history.memory(now))]

    def _round(self, now: float, found: DnsRound) -> list[RemedyAction]:
        if found.pods is None:
            self.due = None
            return [RoundReport(0, 0, "the API server does not say which DNS pods there are")]
        votes = count_votes(found, self._options.nodes)
        self._tracker.track(now, found, votes)
        followed = self._follow(now, found, votes)
        decisions: list[RemedyAction] = []
        self.due = now + HURRY if self._is_short_of_rounds(now, votes) else None
        self._blocked = {uid: kept for uid, kept in self._blocked.items() if uid in votes.pods}
        for pod in self._in_order(found.pods, votes):
            decisions += self._decide(now, pod, found, votes)
        return [*followed, *decisions, self._report(found, votes, decisions)]

    def _is_short_of_rounds(self, now: float, votes: Votes) -> bool:
        """Whether a pod has been sick for long enough, in too few rounds."""
        faults = [(judged, self._tracker.fault(uid)) for uid, judged in votes.pods.items()]
        return any(
            fault is not None
            and judged.health is PodHealth.SICK
            and now - fault.since >= self._options.after
            and fault.rounds < LEAST_ROUNDS
            for judged, fault in faults
        )

    def _report(self, found: DnsRound, votes: Votes, actions: list[RemedyAction]) -> RoundReport:
        names = {pod.uid: pod.name for pod in found.pods or ()}
        answering = len(votes.having(PodHealth.ANSWERING))
        pending = self._history.pending[1] if self._history.pending is not None else ""
        decisions = [action for action in actions if isinstance(action, Decision)]
        return RoundReport(
            answering,
            len(names),
            report_sentence(answering, len(names), votes.hold, decisions, pending),
            tuple(names[uid] for uid in votes.having(PodHealth.SICK)),
            pending,
            self._history.given_up,
        )

    # What became of the last restart

    def _follow(self, now: float, found: DnsRound, votes: Votes) -> list[RemedyAction]:
        history, before = self._history, self._history.memory(now)
        outcome = self._outcome(now, found, votes) if self._leading else None
        well_since = self._tracker.well_since
        if well_since is not None and now - well_since >= LASTING:
            history.forgive()
        after = history.memory(now)
        changed = (before.unhelpful, before.pending, before.trial) != (after.unhelpful, after.pending, after.trial)
        remember = [Remember(after)] if self._leading and changed else []
        return [*([outcome] if outcome is not None else []), *remember]

    def _outcome(self, now: float, found: DnsRound, votes: Votes) -> RestartOutcome | None:
        history = self._history
        answering, sick = votes.having(PodHealth.ANSWERING), votes.having(PodHealth.SICK)
        if history.pending is None:
            if history.watch_trial(now, answering, sick):
                return RestartOutcome("", False, "the successor of a restarted DNS pod is sick again")
            return None
        uid, name = history.pending
        standing = [pod.uid for pod in found.pods or () if not pod.deleting]
        successors = history.successors(standing)
        elapsed = short_duration(history.elapsed(now))
        late = history.elapsed(now) > SUCCESSOR_TIMEOUT
        if uid in standing:
            if late:
                history.drop()
                return RestartOutcome(name, False, f"DNS pod {name} is still there after {elapsed}")
            return None
        well = [one for one in successors if one in answering]
        if well:
            history.helped(now, well[0])
            self._missing_told = False
            return RestartOutcome(name, True, f"the successor of {name} answers after {elapsed}")
        if not late:
            return None
        if successors:
            history.failed()
            return RestartOutcome(name, False, f"the successor of {name} does not answer after {elapsed}")
        if self._missing_told:
            return None
        self._missing_told = True
        return RestartOutcome(name, False, f"no successor of {name} came within {elapsed}")

    # What is done about a pod

    def _in_order(self, pods: tuple[DnsServerPod, ...], votes: Votes) -> list[DnsServerPod]:
        """The pods that look sick: those that Kubernetes holds for sick too come first, then those longest so."""
        looks = (*_ABSENT, PodHealth.PARTIAL)
        bad = [pod for pod in pods if votes.pods[pod.uid].health in looks]
        none = PodFault(float("inf"), 0.0)
        return sorted(bad, key=lambda pod: (pod.ready, (self._tracker.fault(pod.uid) or none).since, pod.name))

    def _decide(self, now: float, pod: DnsServerPod, found: DnsRound, votes: Votes) -> list[RemedyAction]:
        if self._options.repair is RepairMode.OFF:
            return []
        judged = votes.pods[pod.uid]
        fault = self._tracker.fault(pod.uid)
        words = {
            "name": pod.name,
            "node": pod.node or "its node",
            "fails": fails_sentence(judged.against, judged.of),
            "lasted": short_duration(now - fault.since if fault is not None else 0.0),
            "detail": "",
            "limit": "",
        }
        refusal = self._unfit(now, pod, judged, found, votes)
        if refusal is None and self._options.repair is RepairMode.ON:
            refusal = self._forbidden(now, pod)
        if refusal is not None:
            reason, more = refusal
            sentence = decision_sentence(RemedyVerb.REFUSE, reason, **{**words, **more})
            return [Decision(RemedyVerb.REFUSE, pod.uid, pod.name, pod.namespace, reason, sentence)]
        verb = RemedyVerb.RESTART if self._options.repair is RepairMode.ON else RemedyVerb.SUGGEST
        reason = RemedyReason.SICK if votes.answered else RemedyReason.ALL_SICK
        decision = Decision(verb, pod.uid, pod.name, pod.namespace, reason, decision_sentence(verb, reason, **words))
        if verb is RemedyVerb.SUGGEST:
            return [decision]
        self._history.begin(now, pod.uid, pod.name, frozenset(one.uid for one in found.pods or ()))
        self._missing_told = False
        return [Remember(self._history.memory(now)), decision]

    def _unfit(
        self, now: float, pod: DnsServerPod, judged: Judged, found: DnsRound, votes: Votes
    ) -> tuple[RemedyReason, dict[str, str]] | None:
        """Return reason a restart of the pod would be wrong, whoever made it, and what that reason names."""
        age = self._tracker.age(now, pod)
        fault = self._tracker.fault(pod.uid)
        looks = sum(judged.health in _ABSENT for judged in votes.pods.values())
        others = [one for one in votes.having(PodHealth.ANSWERING) if one != pod.uid]
        deleting = {one.uid for one in found.pods or () if one.deleting}
        reasons: tuple[_Reason, ...] = (
            (judged.health is PodHealth.PARTIAL, RemedyReason.PARTIAL, {}),
            (judged.health is PodHealth.CUT_OFF, RemedyReason.CUT_OFF, {}),
            (judged.health is PodHealth.UNREACHED, RemedyReason.UNREACHED, {}),
            (bool(found.planned), RemedyReason.ROLLOUT, {"detail": " and ".join(found.planned)}),
            (pod.deleting or bool(pod.planned), RemedyReason.PLANNED, {"detail": pod.planned or "is being deleted"}),
            (pod.node_ready is False, RemedyReason.NODE, {}),
            (pod.phase != "Running", RemedyReason.NOT_RUNNING, {"detail": pod.phase or "unknown"}),
            (not pod.owner, RemedyReason.NO_OWNER, {}),
            (age < LEAST_AGE, RemedyReason.TOO_YOUNG, {"limit": short_duration(LEAST_AGE)}),
            (
                fault is None or now - fault.since < self._options.after or fault.rounds < LEAST_ROUNDS,
                RemedyReason.TOO_SHORT,
                {"limit": f"{short_duration(self._options.after)} and {LEAST_ROUNDS} rounds"},
            ),
            (votes.answered and not {*others} - deleting, RemedyReason.LAST, {}),
            (
                votes.answered and looks >= LEAST_MANY_SICK and looks > self._options.sick * len(votes.pods),
                RemedyReason.BRAKE,
                {"detail": f"{looks} of {len(votes.pods)}"},
            ),
            (not votes.answered and judged.wrong, RemedyReason.BRAKE, {"detail": "all"}),
        )
        return next(((reason, words) for holds, reason, words in reasons if holds), None)

    def _forbidden(self, now: float, pod: DnsServerPod) -> tuple[RemedyReason, dict[str, str]] | None:
        """Return reason this doctor may not restart the pod now, and what that reason names."""
        history = self._history
        until, detail = self._blocked.get(pod.uid, (now, ""))
        pending = history.pending[1] if history.pending is not None else ""
        wait = history.wait(now)
        reasons: tuple[_Reason, ...] = (
            (not self._leading, RemedyReason.NOT_LEADING, {}),
            (history.given_up, RemedyReason.GIVEN_UP, {}),
            (until > now, RemedyReason.BLOCKED, {"detail": detail}),
            (bool(pending), RemedyReason.PENDING, {"detail": pending}),
            (wait > 0, RemedyReason.BUDGET, {"limit": short_duration(wait)}),
        )
        return next(((reason, words) for holds, reason, words in reasons if holds), None)
