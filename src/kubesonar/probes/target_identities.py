"""Finds who is meant by the targets' names, so that another member's answer is not taken for theirs."""

from __future__ import annotations

from kubesonar.core.wire.identity import WireIdentity
from kubesonar.model import Check, Path, Roster

_OF_MEMBERS = frozenset({Path.POD, Path.HOST, Path.LOOPBACK})


class TargetIdentities:
    """The identities of the roster's members, by name."""

    def __init__(self) -> None:
        self._known: dict[str, WireIdentity] = {}

    def roster_changed(self, roster: Roster) -> None:
        """Learn the members."""
        self._known = {member.name: WireIdentity.of(member) for member in roster.members}

    def meant_by(self, check: Check) -> WireIdentity | None:
        """Return who has to answer this check; None where anybody may: its target is no member."""
        return self._known.get(check.target) if check.path in _OF_MEMBERS else None
