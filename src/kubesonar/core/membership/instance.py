"""Election, suspicion and announcing as one machine: what a shell (`messaging/`, `sim/`) drives.

A shell hands in the events of `events.py` and does the actions, and needs to know no more. What the three
machines say to each other, and what a member says to itself, stays in here.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from kubesonar.core.membership.announcer import Announcing, AnnouncingOptions
from kubesonar.core.membership.election.election import Election, ElectionOptions
from kubesonar.core.membership.events import (
    Action,
    Elected,
    Event,
    Holder,
    Leaving,
    Looked,
    Missing,
    Received,
    Refused,
    Send,
    Strained,
    Vacant,
)
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import (
    Ack,
    Alive,
    Heartbeat,
    HeartbeatAck,
    Leave,
    Ping,
    PingReq,
    PingReqReply,
    StartElection,
    StatusClaim,
    StatusClaimAck,
    StepDown,
)
from kubesonar.core.membership.swim.failure_detector import Suspicion, SuspicionOptions
from kubesonar.core.timers import Timers
from kubesonar.model import Condition

LATE = 0.25
"""A machine that is stepped so much (s) after it was due was starved or frozen."""

_FOR_SUSPICION = frozenset({Ping, Ack, PingReq, PingReqReply, StatusClaimAck})
_FOR_ELECTION = frozenset({Heartbeat, HeartbeatAck, StartElection, Alive, StepDown})
_INSIDE = frozenset({Vacant, Missing})
_FOR_ANNOUNCING = frozenset({StatusClaim, Leave, StepDown})


class MembershipOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How members watch each other, elect a coordinator, and what it tells."""

    enabled: Annotated[
        bool, msgspec.Meta(description="Whether members watch each other and elect a coordinator that tells of deaths.")
    ] = True
    election: ElectionOptions = ElectionOptions()
    suspicion: SuspicionOptions = SuspicionOptions()
    announcing: AnnouncingOptions = AnnouncingOptions()


class Membership:
    """A machine of the member `name`, started at `epoch` (Unix ms). In: `signals.Event`, first of all an `MemberView`
    made with `options.election.order`. Out: `signals.Action`. Messages of members that are not in the electorate, and
    messages of itself, are ignored."""

    def __init__(self, name: str, epoch: int, options: MembershipOptions | None = None) -> None:
        options = options or MembershipOptions()
        self._name = name
        self._epoch = epoch
        self._agenda = agenda = Timers()
        self._out: list[Any] = []
        self.due: float | None = None
        self._health = health = LocalHealth(options.suspicion.stretch)
        self._election = Election(name, epoch, options.election, health, agenda, self._out)
        self._suspicion = Suspicion(name, options.suspicion, health, agenda, self._out)
        self._announcing = Announcing(options.announcing, agenda, self._out)

    @property
    def coordinator(self) -> str:
        """Who holds the office, as far as this member knows; empty for nobody."""
        return self._election.allegiance.coordinator

    @property
    def strain(self) -> int:
        """How much this member doubts itself, 0 (not at all) to `suspicion.stretch`."""
        return self._health.score

    @property
    def suspected(self) -> dict[str, Condition | None]:
        """Those that do not answer this member, and what is held of them (None: not judged yet)."""
        return self._suspicion.held

    @property
    def conditions(self) -> dict[str, Condition]:
        """As coordinator: the members last announced as dead, gone or frozen."""
        return self._announcing.conditions

    def following(self, now: float) -> tuple[int, int]:
        """As coordinator: how many members follow it now, itself included, and how many are a majority; else (0, 0)."""
        office, electorate = self._election.office, self._election.electorate
        return (office.heard(now), electorate.majority) if office and electorate else (0, 0)

    def announces(self, now: float) -> bool:
        """Whether it may announce deaths now: a majority follows it."""
        heard, majority = self.following(now)
        return 0 < majority <= heard

    def step(self, now: float, event: Event | None = None) -> list[Action]:
        """What to do now, in order; `due` is then when it wants to be stepped again."""
        if self.due is not None and now - self.due > LATE:
            strained = Strained(now - self.due)
            self._suspicion.take(now, strained)
            self._election.take(now, strained)
        if event is not None:
            self._hand(now, event)
        if self.due is not None and self.due <= now:
            self._agenda.run(now)
        actions = self._actions(now)
        self.due = self._agenda.due
        return actions

    def _actions(self, now: float) -> list[Action]:
        """Hands on what the machines say to each other, until there is nothing left but actions."""
        out, actions = self._out, []
        while out:
            batch = out[:]
            out.clear()
            for action in batch:
                kind = type(action)
                if kind in _INSIDE or (kind is Send and action.to == self._name):
                    self._inside(now, action)
                else:
                    actions.append(action)
                    if kind is Elected:
                        self._announcing.hold(now, self._election.office)
                        self._suspicion.take(now, Holder(action.coordinator, action.epoch))
        return actions

    def _inside(self, now: float, action: Any) -> None:
        if type(action) is Vacant:
            self._election.take(now, action)
        elif type(action) is Missing:
            self._suspicion.take(now, action)
        else:
            to_self = Received(self._name, self._epoch, action.message)
            (self._announcing if type(action.message) is StatusClaim else self._suspicion).take(now, to_self)

    def _hand(self, now: float, event: Event) -> None:
        kind = type(event)
        if kind is Received:
            self._receive(now, event)
        elif kind is Looked or kind is Refused:
            self._suspicion.take(now, event)
        elif kind is MemberView or kind is Strained:
            for machine in (self._suspicion, self._election, self._announcing):
                machine.take(now, event)
        elif kind is Leaving:
            self._election.take(now, event)
        else:
            self._announcing.take(now, event)

    def _receive(self, now: float, event: Any) -> None:
        source, kind, allegiance = event.source, type(event.message), self._election.allegiance
        if source == self._name:
            return
        if kind in _FOR_ELECTION or (source == allegiance.coordinator and event.epoch > allegiance.epoch):
            self._election.take(now, event)
        if kind in _FOR_ANNOUNCING:
            self._announcing.take(now, event)
        if kind in _FOR_SUSPICION or source in self._suspicion.suspects:
            self._suspicion.take(now, event)
            self._election.turn = self._suspicion.turn
