"""Members that left stand in the roster for a while yet, as deleted: rosters of different agents lag behind each other,
and whoever still probes a member that is gone must find out why it is silent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from kubesonar.model import Member, State

MAX_TOMBSTONES = 10_000
"""Departed members remembered at most; those that left first are forgotten first."""

REASON = "it is not listed any more"
_NOTHING: Mapping[str, str] = {}


class Departed:
    """Compares each list of members with the one before. `due` is when the next departed member is to be forgotten."""

    def __init__(self, grace: float, limit: int = MAX_TOMBSTONES) -> None:
        self._grace = grace
        self._limit = limit
        self._present: dict[str, Member] = {}
        self._left: dict[str, tuple[float, Member]] = {}

    @property
    def due(self) -> float | None:
        """By the clock of `step`."""
        return next(iter(self._left.values()))[0] if self._left else None

    def step(self, now: float, members: Iterable[Member], why: Mapping[str, str] = _NOTHING) -> tuple[Member, ...]:
        """The `members` and those that departed within the grace (s) before `now`, in the order of their names; `why`
        says of some that are missing what became of them. A departed member has no address any more: another may have
        it already."""
        present = {member.name: member for member in members}
        for name in self._present.keys() - present.keys():
            self._left[name] = (now + self._grace, _departed(self._present[name], why.get(name, "")))
        self._present = present
        self._left = {
            name: (until, member)
            for name, (until, member) in list(self._left.items())[-self._limit :]
            if until > now and name not in present
        }
        left = (member for _, member in self._left.values())
        return tuple(sorted((*present.values(), *left), key=lambda member: member.name))


def _departed(member: Member, why: str) -> Member:
    reason = why or (REASON if member.expected else member.reason)
    return msgspec.structs.replace(member, addresses=(), state=State.DELETED, reason=reason)
