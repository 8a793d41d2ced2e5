"""The sentences of the remedy."""

from __future__ import annotations

from collections.abc import Sequence

from kubesonar.core.remedy.events import Decision, RemedyReason, RemedyVerb

_REASONS = {
    RemedyReason.SICK: "{fails} for {lasted}, and other DNS pods answer",
    RemedyReason.ALL_SICK: "{fails} for {lasted}, as do all DNS pods",
    RemedyReason.PARTIAL: "{fails} and answers others: the way to it is what fails, not the pod",
    RemedyReason.CUT_OFF: "{fails}, as does all else on {node}: the way there is what fails, not the pod",
    RemedyReason.UNREACHED: "{fails}, nothing at all comes back from it, and nothing on its node confirms that "
    "the pod is sick: the way to {node} may be what fails",
    RemedyReason.ROLLOUT: "{fails} during {detail}",
    RemedyReason.PLANNED: "{fails}, and {detail}",
    RemedyReason.NODE: "{fails}, and its node {node} is not Ready",
    RemedyReason.NOT_RUNNING: "{fails}, and its phase is {detail}: Kubernetes is at work on it",
    RemedyReason.NO_OWNER: "{fails}, and no controller would make a successor",
    RemedyReason.TOO_YOUNG: "{fails}, and has been as it is for less than {limit}",
    RemedyReason.TOO_SHORT: "{fails} for {lasted}, and the limit is {limit}",
    RemedyReason.LAST: "{fails} and still answers some, and no other DNS pod surely answers",
    RemedyReason.BRAKE: "{fails}, as do {detail} of the DNS pods: their common cause is to be found first",
    RemedyReason.GIVEN_UP: "{fails}, and restarts did not help before",
    RemedyReason.BLOCKED: "{fails}, and the last attempt was refused: {detail}",
    RemedyReason.PENDING: "{fails}, and the successor of {detail} has not answered yet",
    RemedyReason.BUDGET: "{fails}, and the budget permits no restart for another {limit}",
    RemedyReason.NOT_LEADING: "{fails}, and this doctor does not hold the Lease",
}
_VERBS = {
    RemedyVerb.RESTART: "restarting DNS pod {name}: it ",
    RemedyVerb.SUGGEST: "DNS pod {name} should be restarted: it ",
    RemedyVerb.REFUSE: "DNS pod {name} is not restarted: it ",
}


def decision_sentence(verb: RemedyVerb, reason: RemedyReason, **words: str) -> str:
    """Return the sentence of a decision; `words` fill in what the reason names."""
    return (_VERBS[verb] + _REASONS[reason]).format_map(words)


def fails_sentence(against: int, of: int) -> str:
    """Return in words from how many nodes a pod fails."""
    return "fails" if of == 1 else f"fails from {against} of {of} nodes"


def short_duration(seconds: float) -> str:
    """Return a duration in words, in whole seconds, or in minutes from two on."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def report_sentence(answering: int, pods: int, hold: str, decisions: Sequence[Decision], pending: str) -> str:
    """Return what a round found and what was done, in one sentence."""
    said = [f"{answering} of {pods} DNS pods answer"]
    said += [hold] if hold else []
    said += [decision.sentence for decision in decisions]
    said += [f"the successor of {pending} is waited for"] if pending else []
    return "; ".join(said)
