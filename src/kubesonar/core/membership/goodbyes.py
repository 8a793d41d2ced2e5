"""Goodbyes: a member that leaves on purpose tells all that probed it or spoke with it lately, so that nobody needs a
roster to know. Who hears it stops probing it, and excuses its silence."""

from __future__ import annotations

import msgspec

from kubesonar.core.excuses import GOODBYE_LAG
from kubesonar.core.membership.events import Departed, Leaving, Received, Refuted, Send
from kubesonar.core.membership.member_view import NO_MEMBERS, MemberView
from kubesonar.core.membership.messages import Leave, StepDown
from kubesonar.core.timers import TimedMachine
from kubesonar.model import Member

LATELY = 120.0
"""Seconds for which a member that spoke counts as one to take leave of. With less, one that watches it seldom is not
told; more tells members for which it is no matter."""

REPEATS = (0.0, 0.4, 0.8)
"""Times at which a goodbye is said (s), several so that one lost datagram means nothing."""

Entry = tuple[str, tuple[str, ...]]


class _Departure(msgspec.Struct, frozen=True):
    epoch: int
    entry: Entry
    until: float


class Goodbyes(TimedMachine):
    """A machine of the member `me`. In: `MemberView`, `Received` (any), `Leaving`, `Refuted`. Out: `Send` (Leave),
    `Departed`."""

    def __init__(self, me: str) -> None:
        super().__init__()
        self._me = me
        self._view = NO_MEMBERS
        self._incarnation = 0
        self._spoke: dict[str, float] = {}
        self._epochs: dict[str, int] = {}
        self._departed: dict[str, _Departure] = {}

    def _take(self, now: float, event: object) -> None:
        if isinstance(event, Received):
            self._received(now, event)
        elif isinstance(event, MemberView):
            self._change(event)
        elif isinstance(event, Refuted):
            self._incarnation = event.incarnation
        elif isinstance(event, Leaving):
            lately = {name for name, at in self._spoke.items() if now - at <= LATELY}
            told = tuple(sorted((lately | event.probers) & self._view.members.keys() - {self._me}))
            self._take_leave(now, told)
            for wait in REPEATS[1:]:
                self._timers.at(now + wait, self._take_leave, told)

    def _take_leave(self, now: float, told: tuple[str, ...]) -> None:
        for name in told:
            self._emit(Send(name, Leave(self._incarnation)))

    def _received(self, now: float, event: Received) -> None:
        name, message = event.source, event.message
        member = self._view.members.get(name)
        if member is None:
            return
        self._spoke[name] = now
        if isinstance(message, Leave) or (isinstance(message, StepDown) and message.leaves):
            if event.epoch >= self._epochs.get(name, 0) and name not in self._departed:
                self._departed[name] = _Departure(event.epoch, _entry(member), now + GOODBYE_LAG)
                self._timers.at(now + GOODBYE_LAG, self._lapse)
                self._report()
        elif not event.elsewhere:
            self._epochs[name] = event.epoch
            departure = self._departed.get(name)
            if departure is not None and event.epoch > departure.epoch:
                self._end([name])

    def _change(self, view: MemberView) -> None:
        """Take over the members. What took its leave was the entry of then: another one is expected again."""
        self._view = view
        for table in (self._spoke, self._epochs):
            for name in table.keys() - view.members.keys():
                del table[name]
        members = view.members
        ended = [
            name for name, one in self._departed.items() if name not in members or _entry(members[name]) != one.entry
        ]
        for name in ended:
            self._epochs.pop(name, None)
        self._end(ended)

    def _lapse(self, now: float) -> None:
        self._end([name for name, one in self._departed.items() if one.until <= now])

    def _end(self, names: list[str]) -> None:
        for name in names:
            del self._departed[name]
        if names:
            self._report()

    def _report(self) -> None:
        self._emit(Departed(frozenset(self._departed)))


def _entry(member: Member) -> Entry:
    """Return what of a member's entry in the roster tells it from its successor."""
    return member.name, member.addresses
