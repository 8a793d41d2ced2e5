"""The roster that one agent goes by: what its source says, corrected by what members told that agent themselves."""

from __future__ import annotations

from collections.abc import Callable, Collection

from msgspec.structs import replace

from kubesonar.core.excuses import StateDates
from kubesonar.core.membership.member_view import without_departed
from kubesonar.core.telemetry.started import StartedMembers
from kubesonar.discovery.self_lookup import with_self
from kubesonar.model import Member, Roster


class EffectiveRoster:
    """Corrects the rosters of a source: members that took their leave are leaving, those that answered have started,
    states are dated, and the agent's own entry is complete.

    `addresses` and `told` are as `recognise` has them. `changed` is called when a member that counts as starting has
    answered; `started` takes the observations that show it."""

    def __init__(self, addresses: Collection[str], changed: Callable[[], None], *, told: bool) -> None:
        self.started = StartedMembers(changed)
        self._addresses = addresses
        self._told = told
        self._given = Roster("", ())
        self._departed: dict[str, float] = {}
        self._dates = StateDates()

    def given(self, roster: Roster) -> None:
        """Take the roster that the source says now."""
        self._given = roster

    def departed(self, now: float, identities: Collection[str]) -> None:
        """Take note that of all members these (by identity) took their leave, at `now` (Unix seconds) unless before."""
        self._departed = {identity: self._departed.get(identity, now) for identity in identities}

    def at(self, now: float, me: Member) -> tuple[Roster, Member]:
        """Return the roster at `now` (Unix seconds), and as which member of it the agent goes that went as `me`."""
        roster = self._given
        if self._departed:
            members = without_departed(roster.members, self._departed)
            revision = f"{roster.revision} without {', '.join(sorted(self._departed))}"
            roster = replace(roster, members=members, revision=revision)
        roster = self.started.roster_changed(self._dates.dated(roster, now))
        return with_self(roster, me, self._addresses, told=self._told)
