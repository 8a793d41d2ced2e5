"""Writes what a member does as a sentence for a transcript."""

from __future__ import annotations

from kubesonar.core.membership.events import (
    Announce,
    Assembled,
    Doubted,
    Elected,
    MembershipAction,
    WantLease,
)
from kubesonar.model import Condition


def transcript_sentence(action: MembershipAction) -> str:
    """The sentence without its subject; empty for an action that a transcript leaves out."""
    if isinstance(action, Announce):
        return _announce(action)
    if isinstance(action, Doubted):
        return _doubt(action)
    if isinstance(action, Assembled):
        return f"hears {len(action.heard) + 1} of {action.of} members"
    if isinstance(action, Elected):
        return "is the coordinator" if action.mine else ""
    if isinstance(action, WantLease):
        return "" if action.want else "is no longer the coordinator"
    return ""


def _announce(action: Announce) -> str:
    subject = action.node or action.member
    if action.what.ends:
        return f"announces: {subject} {'is back' if action.what is Condition.BACK else 'left'}"
    seen = ", ".join(f"{one.reachability} to {one.name}" for one in action.witnesses)
    return f"announces: {subject} is {action.what}, silent for {action.silent:.1f} s ({seen})"


def _doubt(action: Doubted) -> str:
    if action.what is Condition.MINORITY:
        return f"hears only {action.count} of {action.of} members and announces nothing"
    if action.what is Condition.SUSPECT:
        lasting = f", for {action.lasting:.0f} s now" if action.lasting else ""
        return (
            f"{action.count} of {action.of} nodes look dead at once: it suspects itself and announces nothing{lasting}"
        )
    return "doubts itself no more"
