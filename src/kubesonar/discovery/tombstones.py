"""Members that left stay in the roster for a while, as deleted.

Rosters of different agents lag behind each other, and an agent that still probes a member that left must find out why
it is silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from kubesonar.model import Member, State

MAX_TOMBSTONES = 10_000
"""Members that left and are remembered at most; beyond, those that left first are forgotten."""

REASON = "it is not listed any more"
_NOTHING: Mapping[str, str] = {}


class Tombstones:
    """Compares each list of members with the one before and remembers those that left for `grace` seconds."""

    def __init__(self, grace: float, limit: int = MAX_TOMBSTONES) -> None:
        self._grace = grace
        self._limit = limit
        self._present: dict[str, Member] = {}
        self._left: dict[str, tuple[float, Member]] = {}

    @property
    def due(self) -> float | None:
        """The time at which the next member is to be forgotten, by the clock of `step`; None without one."""
        return next(iter(self._left.values()))[0] if self._left else None

    def step(self, now: float, members: Iterable[Member], why: Mapping[str, str] = _NOTHING) -> tuple[Member, ...]:
        """Return the `members` and those that left less than `grace` seconds before `now`, by name.

        `why` holds, for some that left, the reason. A member that left has no address: another may have it already.
        """
        present = {member.name: member for member in members}
        for name in self._present.keys() - present.keys():
            self._left[name] = (now + self._grace, _deleted(self._present[name], why.get(name, "")))
        self._present = present
        self._left = {
            name: (until, member)
            for name, (until, member) in list(self._left.items())[-self._limit :]
            if until > now and name not in present
        }
        left = (member for _, member in self._left.values())
        return tuple(sorted((*present.values(), *left), key=lambda member: member.name))


def _deleted(member: Member, why: str) -> Member:
    reason = why or (REASON if member.expected else member.reason)
    return msgspec.structs.replace(member, addresses=(), state=State.DELETED, reason=reason)
