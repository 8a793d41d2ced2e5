"""One member: election, failure detector and announcer as one machine, which a shell (`messaging/`, `sim/`) drives.

A shell feeds the events of `events.py` and does the actions, and needs to know no more. What the three machines hand to
each other, and what a member says to itself, stays in here.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from kubesonar.core.membership.announcing.announcer import Announcer, AnnouncingOptions
from kubesonar.core.membership.election.election import Election
from kubesonar.core.membership.election.options import ElectionOptions
from kubesonar.core.membership.events import (
    Assembled,
    CoordinatorLost,
    Delivered,
    Departed,
    Elected,
    FollowerHeard,
    GaveWay,
    HeartbeatMissed,
    HostProbed,
    Late,
    Leased,
    Leaving,
    MembershipAction,
    MembershipEvent,
    Quorum,
    QuorumQuery,
    Received,
    Refused,
    Refuted,
    Remembered,
    Send,
    Throttled,
    ToSelf,
)
from kubesonar.core.membership.goodbyes import Goodbyes
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import (
    Alive,
    Heartbeat,
    HeartbeatAck,
    StartElection,
    StatusClaim,
    StepDown,
)
from kubesonar.core.membership.swim.failure_detector import FailureDetector
from kubesonar.core.membership.swim.options import SuspicionOptions
from kubesonar.core.timers import TimedMachine
from kubesonar.model import Condition, Network

LATE_STEP = 0.5
"""A machine that is stepped so much (s) after it was due was starved or frozen; up to 0.2 s of it may be the wait for
a tick. With less, a busy event loop counts as that; with more, pings are missed by this process's own fault."""

_FOR_ELECTION = frozenset({Heartbeat, HeartbeatAck, StartElection, Alive, StepDown})
_FOR_SHELL_TOO = frozenset({Elected, Departed, Assembled})


class MembershipOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The watch of members over each other, the election of a coordinator, and what it tells."""

    enabled: Annotated[
        bool, msgspec.Meta(description="Whether members watch each other and elect a coordinator that tells of deaths.")
    ] = True
    election: ElectionOptions = ElectionOptions()
    suspicion: SuspicionOptions = SuspicionOptions()
    announcing: AnnouncingOptions = AnnouncingOptions()


class Membership:
    """A machine of the member `me`, started at `epoch` (Unix ms). In: `events.Event`, first of all a `MemberView` made
    with `options.election.order`. Out: `events.Action`. Messages of members that are not in the view, and messages of
    itself, are ignored."""

    def __init__(self, me: str, epoch: int, options: MembershipOptions | None = None) -> None:
        options = options or MembershipOptions()
        self._me = me
        self._coordinator = ""
        self.due: float | None = None
        self._health = LocalHealth(options.suspicion.stretch)
        self._detector = detector = FailureDetector(me, options.suspicion, self._health)
        self._election = election = Election(me, epoch, options.election, self._health)
        self._announcer = announcer = Announcer(me, options.announcing)
        goodbyes = Goodbyes(me)
        self._machines: tuple[TimedMachine, ...] = (detector, election, announcer, goodbyes)
        self._for_both: tuple[TimedMachine, ...] = (detector, election, goodbyes)
        self._for_detector: tuple[TimedMachine, ...] = (detector, goodbyes)
        self._takers: dict[type, tuple[TimedMachine, ...]] = {
            MemberView: self._machines,
            HostProbed: (detector, announcer),
            Refused: (detector,),
            Throttled: (detector,),
            Leaving: (goodbyes, election),
            Leased: (announcer,),
            Delivered: (announcer,),
            Remembered: (detector,),
            Late: (detector, election),
        }
        self._inner: dict[type, tuple[TimedMachine, ...]] = {
            Elected: (announcer, detector),
            HeartbeatMissed: (detector,),
            CoordinatorLost: (election,),
            Refuted: (election, goodbyes),
            FollowerHeard: (announcer,),
            QuorumQuery: (election,),
            GaveWay: (election,),
            Departed: (announcer,),
            Assembled: (announcer,),
            Quorum: (announcer,),
        }

    @property
    def coordinator(self) -> str:
        """The coordinator as far as this member knows; empty for none."""
        return self._coordinator

    @property
    def health_score(self) -> int:
        """Lifeguard's local health score, 0 (well) to `suspicion.stretch`."""
        return self._health.score

    @property
    def suspected(self) -> dict[str, Condition | None]:
        """The members that do not answer this one, and the condition held of each (None: not judged yet)."""
        return self._detector.suspected

    @property
    def conditions(self) -> dict[str, Condition]:
        """As coordinator: the members last announced as dead, gone or frozen."""
        return self._announcer.conditions

    def open_claims(self, now: float) -> list[StatusClaim]:
        """As coordinator: what was announced and has not ended."""
        return self._announcer.open_claims(now)

    def following(self, now: float) -> int:
        """As coordinator: how many members follow it now, itself included; else 0."""
        return self._election.following(now)

    def announces(self, now: float) -> frozenset[Network]:
        """The networks of whose members it may announce deaths now: a majority of each follows it."""
        return self._election.networks(now)

    def step(self, now: float, event: MembershipEvent | None = None) -> list[MembershipAction]:
        """Take `event`, run the timers that are due, and return the actions in order; see `core/machine.py`."""
        actions: list[MembershipAction] = []
        if self.due is not None and now - self.due > LATE_STEP:
            self._feed(now, Late(now - self.due), self._takers[Late], actions)
        if event is not None:
            takers = self._hearers(event) if type(event) is Received else self._takers[type(event)]
            self._feed(now, event, takers, actions)
        for machine in self._machines:
            due = machine.due
            if due is not None and due <= now:
                self._hand_on(now, machine.step(now), actions)
        self.due = None
        for machine in self._machines:
            due = machine.due
            if due is not None and (self.due is None or due < self.due):
                self.due = due
        return actions

    def _hearers(self, event: Received) -> tuple[TimedMachine, ...]:
        """The machines that a message concerns. Any message shows the failure detector that its sender is alive, and
        the election whether the coordinator was restarted."""
        kind = type(event.message)
        if event.source == self._me:
            return ()
        if kind is StatusClaim:
            return self._machines
        if kind in _FOR_ELECTION or event.source == self._coordinator:
            return self._for_both
        return self._for_detector

    def _feed(
        self, now: float, event: Any, machines: tuple[TimedMachine, ...], actions: list[MembershipAction]
    ) -> None:
        handed: list[Any] = []
        for machine in machines:
            handed += machine.step(now, event)
        self._hand_on(now, handed, actions)

    def _hand_on(self, now: float, handed: list[Any], actions: list[MembershipAction]) -> None:
        """Add to `actions` what is for the shell, and feed what the machines hand to each other, which may hand out
        more in turn."""
        for action in handed:  # grows meanwhile
            kind = type(action)
            if kind is Send and action.to == self._me:
                taker: TimedMachine = self._announcer if type(action.message) is StatusClaim else self._detector
                handed += taker.step(now, ToSelf(action.message))
                continue
            takers = self._inner.get(kind)
            if kind is Elected:
                self._coordinator = action.coordinator
            if takers is None or kind in _FOR_SHELL_TOO:
                actions.append(action)
            for machine in takers or ():
                handed += machine.step(now, action)
