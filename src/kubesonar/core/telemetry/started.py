"""Notes which members that count as starting have started: who has answered once has."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kubesonar.model import Health, Member, Observation, Roster, State


class StartedMembers:
    """Takes observations, and corrects rosters. `changed` is called when a member that starts has answered."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._starting: dict[str, Member] = {}
        self._started: set[str] = set()

    def roster_changed(self, roster: Roster) -> Roster:
        """Return the roster with those serving that count as starting and have answered before."""
        self._starting = {member.name: member for member in roster.members if member.state is State.STARTING}
        self._started &= self._starting.keys()
        if not self._started:
            return roster
        return msgspec.structs.replace(roster, members=tuple(map(self._corrected, roster.members)))

    def add(self, observation: Observation) -> None:
        """Take one observation in."""
        check = observation.check
        member = self._starting.get(check.target)
        if member is None or member.name in self._started or observation.health is not Health.GOOD:
            return
        if check.kind.by_agent and check.address in member.addresses:
            self._started.add(member.name)
            self._changed()

    def _corrected(self, member: Member) -> Member:
        return msgspec.structs.replace(member, state=State.SERVING) if member.name in self._started else member
