"""What a member does, as a sentence for a transcript."""

from __future__ import annotations

from kubesonar.core.membership.events import Action, Announce, Assembled, Doubted, Elected, WantLease
from kubesonar.model import Condition


def sentence(action: Action) -> str:
    """The sentence, without its subject; empty for what is not worth one."""
    if isinstance(action, Announce):
        return _announced(action)
    if isinstance(action, Doubted):
        return _doubted(action)
    if isinstance(action, Assembled):
        return f"hears {len(action.heard) + 1} of {action.of} members"
    if isinstance(action, Elected):
        return "is the coordinator" if action.mine else ""
    if isinstance(action, WantLease):
        return "" if action.want else "is no longer the coordinator"
    return ""


def _announced(told: Announce) -> str:
    if told.what is Condition.BACK:
        return f"announces: {told.member} is back"
    seen = ", ".join(f"{one.sight} to {one.name}" for one in told.witnesses)
    return f"announces: {told.member} is {told.what}, silent for {told.silent:.1f} s ({seen})"


def _doubted(doubt: Doubted) -> str:
    if doubt.what is Condition.MINORITY:
        return f"hears only {doubt.count} of {doubt.of} members and announces nothing"
    if doubt.what is Condition.SUSPECT:
        return f"{doubt.count} of {doubt.of} members look dead at once: it suspects itself and announces nothing"
    return "doubts itself no more"
