"""Who is the coordinator: the bully election (Garcia-Molina, 1982), by rank, without any outside help.

A member that hears no coordinator calls those that rank before it, a few at a time, first in rank first. Whoever
answers and stands will do; if nobody does, the caller takes the office and tells all (`leader.py`). A coordinator
that is heard stays, also when somebody of higher rank comes (with `highest`: it goes). That no two of them lead a
majority at once is the work of the promises (`leader.py`); everything here only makes sure that there is somebody
soon.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from kubesonar.core.membership.election.check_quorum import Duty, Minority
from kubesonar.core.membership.election.follower import RECENT, FollowerState
from kubesonar.core.membership.election.leader import Leadership
from kubesonar.core.membership.election.round import Ballot
from kubesonar.core.membership.events import Doubted, Elected, Leaving, Received, Send, Strained, Vacant, WantLease
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.member_view import MemberView, Rank
from kubesonar.core.membership.messages import Alive, Heartbeat, HeartbeatAck, Leave, StartElection, StepDown
from kubesonar.core.timers import Timed, Timers
from kubesonar.model import Condition, Seconds

ELECTION_TIMEOUT = 2.25
"""A coordinator not heard for so many of its intervals (two beacons lost) makes a member call an election."""

JOIN = 1.5
"""A member that has just started listens for so many intervals before it votes or stands: as long as a promise binds
that it may have given before it was restarted."""


class ElectionOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the coordinator is elected."""

    order: Annotated[
        Rank,
        msgspec.Meta(description="Which id ranks higher: natural (node-10 before node-9) or bytes (as plain text)."),
    ] = Rank.NATURAL
    highest: Annotated[
        bool, msgspec.Meta(description="Whether a member of higher rank takes the office from one that holds it.")
    ] = False
    beacon: Annotated[
        Seconds, msgspec.Meta(ge=0.2, le=60, description="How often the coordinator speaks to every member.")
    ] = 1.0
    pace: Annotated[
        int,
        msgspec.Meta(ge=10, le=100_000, description="Most beacons a second; with more members they are further apart."),
    ] = 500
    answer: Annotated[
        Seconds, msgspec.Meta(ge=0.05, le=30, description="How long a member that is called has to answer.")
    ] = 0.4
    takeover: Annotated[
        Seconds, msgspec.Meta(ge=0.1, le=60, description="How long one that answered has to take the office.")
    ] = 1.0
    period: Annotated[
        Seconds,
        msgspec.Meta(ge=0, le=3600, description="Elections are also held this often; 0: only when there is a reason."),
    ] = 0.0
    minority: Annotated[
        Seconds,
        msgspec.Meta(ge=1, le=600, description="A coordinator without a majority for this long reports itself."),
    ] = 3.0
    welcome: Annotated[
        Seconds, msgspec.Meta(ge=0, le=3600, description="How long the other members may take to start.")
    ] = 30.0


class Election(Timed):
    """A machine. In: `MemberView`, `Received` (Call, Present, Beacon, Heard, Resign), `Vacant`, `Strained`, `Leaving`.
    Out: `Send`, `Elected`, `Assembled`, `Missing`, `Doubted` (MINORITY, BACK), `WantLease`.

    `turn` is the member's own incarnation, which its answers to beacons carry."""

    def __init__(
        self, name: str, epoch: int, options: ElectionOptions, health: LocalHealth, agenda: Timers, out: list[Any]
    ) -> None:
        super().__init__(agenda, out)
        self.turn = 0
        self.office: Leadership | None = None
        self.allegiance = FollowerState(options.beacon)
        self._name = name
        self._epoch = epoch
        self._options = options
        self._health = health
        self.electorate: MemberView | None = None
        self._votes_from = float("inf")
        self._left = False
        self._minority = Minority(options.minority, options.welcome)
        self._beacons = 0
        self._ballot = Ballot()
        self._vacated: dict[str, tuple[int, float]] = {}
        self._handlers: dict[type, Any] = {
            Heartbeat: self._beacon,
            HeartbeatAck: self._heard,
            StartElection: self._call,
            Alive: self._present,
            StepDown: self._resigned,
        }

    def take(self, now: float, event: object) -> None:
        """Takes an event; see the class."""
        if self._left:
            return
        if isinstance(event, Received):
            self._received(now, event)
        else:
            self._told(now, event)

    def _received(self, now: float, event: Received) -> None:
        electorate, allegiance = self.electorate, self.allegiance
        if electorate is None or event.source not in electorate.members:
            return
        if event.source == allegiance.coordinator and event.epoch > allegiance.epoch:
            self._vacate(now)  # restarted: it does not know any more that it was the coordinator
        handler = self._handlers.get(type(event.message))
        if handler is not None:
            handler(now, event.source, event.epoch, event.message)

    def _told(self, now: float, event: object) -> None:
        if isinstance(event, MemberView):
            self._change(now, event)
        elif isinstance(event, Vacant):
            self._vacated[event.name] = (event.epoch, now)
            self._ballot.shun(now, event.name)
            if (event.name, event.epoch) == (self.allegiance.coordinator, self.allegiance.epoch):
                self._vacate(now)
        elif isinstance(event, Strained):
            self.allegiance.last = now  # its beacons may have been lost on us
            if self.office is not None:
                self.office.strained(now)
        elif isinstance(event, Leaving):
            self._leave(now)

    # The members

    def _change(self, now: float, electorate: MemberView) -> None:
        first, self.electorate = self.electorate is None, electorate
        self._ballot.forget(electorate.members)
        self._vacated = {name: when for name, when in self._vacated.items() if name in electorate.members}
        if first:
            self._votes_from = now + JOIN * self._interval
            self._agenda.at(self._votes_from, self._silence)
            if self._options.period:
                self._agenda.at(now + self._options.period, self._periodic)
        if self.office is not None:
            self.office.change(electorate, self._interval)
            if not electorate.stands(self._name):
                self._resign(now, self.office.youngest(now))
        elif self.allegiance.coordinator and self.allegiance.coordinator not in electorate.members:
            self._vacate(now)

    @property
    def _interval(self) -> float:
        assert self.electorate is not None
        return min(60.0, max(self._options.beacon, len(self.electorate) / self._options.pace))

    def _stands(self, now: float) -> bool:
        return (
            self.electorate is not None
            and self.electorate.stands(self._name)
            and now >= self._votes_from
            and now >= self._minority.abstains_until
        )

    # Following

    def _beacon(self, now: float, source: str, epoch: int, beacon: Heartbeat) -> None:
        if self.office is not None:
            self._rival(now, source, beacon.heard)
        elif self.allegiance.coordinator not in ("", source) and self.allegiance.bound_elsewhere(now, source):
            self._out.append(Send(source, self._view(now, beacon.number)))
        elif not self.allegiance.stale(now, source, epoch, beacon):
            self._follow(now, source, epoch, beacon)

    def _follow(self, now: float, source: str, epoch: int, beacon: Heartbeat) -> None:
        allegiance = self.allegiance
        if (source, epoch) != (allegiance.coordinator, allegiance.epoch):
            self._out.append(Elected(source, epoch, False))
        allegiance.follow(now, source, epoch, beacon)
        if now >= self._votes_from and not allegiance.bound_elsewhere(now, source):
            allegiance.promise(now)
            self._out.append(Send(source, HeartbeatAck(beacon.number, self.turn)))
        if beacon.announces and self._minority.recovered() is Duty.RECOVERED:
            self._out.append(Doubted(Condition.BACK, beacon.heard, beacon.of))
        if self._options.highest and self._stands(now) and self._outranks(source):
            self._elect(now)
        else:
            self._ballot.close()

    def _silence(self, now: float) -> None:
        """Looks whether the coordinator has fallen silent; comes back when it may have."""
        limit = ELECTION_TIMEOUT * self.allegiance.beacon.interval * self._health.stretch
        silent = now - self.allegiance.last >= limit
        if silent and self.office is None:
            self._elect(now)
        self._agenda.at(now + limit if silent else self.allegiance.last + limit + 1e-6, self._silence)

    def _vacate(self, now: float) -> None:
        """The coordinator is gone, as far as we know; what we promised it still holds."""
        self.allegiance.leave(released=False)
        self._out.append(Elected("", 0, False))
        self._elect(now)

    def _resigned(self, now: float, source: str, epoch: int, resign: StepDown) -> None:
        if source != self.allegiance.coordinator or epoch != self.allegiance.epoch:
            return
        if not resign.successor and not self.allegiance.beacon.announces:
            self._minority.spoken_for = True  # it has reported what would be our report too
        self.allegiance.leave(released=True)
        self._out.append(Elected("", 0, False))
        if resign.successor == self._name and self._stands(now) and self.office is None:
            self._preside(now)
        elif resign.successor:
            self._agenda.at(now + self._options.answer * self._health.stretch, self._elect_if_vacant)
        else:
            self._elect(now)

    # Calling

    def _elect(self, now: float) -> None:
        if self._left or self.office is not None or self._ballot.open or now < self._votes_from:
            return
        silent = self.allegiance.coordinator
        if silent and not self.allegiance.fresh(now):
            self._ballot.shun(now, silent)
        self._ballot.begin()
        self._next_call(now)

    def _elect_if_vacant(self, now: float) -> None:
        if not self.allegiance.coordinator:
            self._elect(now)

    def _periodic(self, now: float) -> None:
        self._agenda.at(now + self._options.period, self._periodic)
        if self.office is not None:
            self.office.assemble()
        elif not self.allegiance.direct or (self._options.highest and self._outranks(self.allegiance.coordinator)):
            self._elect(now)

    def _next_call(self, now: float) -> None:
        assert self.electorate is not None
        called = self._ballot.next_call(now, self.electorate, self._name)
        if called:
            self._out += [Send(name, StartElection(self._ballot.number)) for name in called]
            wait = self._options.answer * self._health.stretch
            self._agenda.at(now + wait, self._unanswered, self._ballot.number)
            return
        self._ballot.close()
        if self._stands(now):
            self._preside(now)

    def _unanswered(self, now: float, number: int) -> None:
        if self._ballot.current(number):
            self._ballot.shun(now, *self._ballot.called)
            self._next_call(now)

    def _call(self, now: float, source: str, epoch: int, call: StartElection) -> None:
        self._out.append(Send(source, self._view(now, call.number)))
        if self.office is not None:
            self._out.append(Send(source, self.office.beacon(now)))
        elif self._stands(now) and self._outranks(source) and not self.allegiance.fresh(now):
            self._elect(now)

    def _view(self, now: float, number: int) -> Alive:
        stands = self._stands(now)
        if self.office is not None:
            return Alive(number, self._name, self._epoch, 0.0, self.office.heard(now), stands)
        allegiance = self.allegiance
        if not allegiance.coordinator or not allegiance.direct:
            return Alive(number, stands=stands)
        age = min(now - allegiance.last, 86_400.0)
        return Alive(number, allegiance.coordinator, allegiance.epoch, age, allegiance.beacon.heard, stands)

    def _present(self, now: float, source: str, epoch: int, told: Alive) -> None:
        if self.office is not None:
            if told.coordinator not in ("", self._name) and now - told.age > self.office.since:
                self._rival(now, told.coordinator, told.heard)
            return
        if not self._ballot.concerns(source, told.number):
            return
        if self._heard_elsewhere(now, told):
            self._ballot.close()
            if told.coordinator != self.allegiance.coordinator:
                self._out.append(Elected(told.coordinator, told.epoch, False))
            self.allegiance.hearsay(now, told)
        elif told.stands and self._outranked_by(source):
            wait = self._options.takeover * self._health.stretch
            self._agenda.at(now + wait, self._not_taken, self._ballot.awaits(), source)
        else:
            self._ballot.answered(now, source)
            if not self._ballot.called:
                self._next_call(now)

    def _not_taken(self, now: float, number: int, source: str) -> None:
        if self._ballot.current(number):
            self._ballot.shun(now, source)
            self._ballot.begin()
            self._next_call(now)

    def _heard_elsewhere(self, now: float, told: Alive) -> bool:
        """Whether what another member hears is a coordinator for us too."""
        assert self.electorate is not None
        if told.coordinator not in self.electorate.members or told.coordinator == self._name:
            return False
        if self._options.highest and self._outranks(told.coordinator) and self._stands(now):
            return False
        vacated = self._vacated.get(told.coordinator)
        if vacated is not None and vacated[0] >= told.epoch and now - told.age <= vacated[1]:
            return False
        return self._recent(now, told)

    def _recent(self, now: float, told: Alive) -> bool:
        return told.age <= RECENT * self.allegiance.beacon.interval

    def _outranked_by(self, other: str) -> bool:
        return self.electorate is not None and self.electorate.outranks(other, self._name)

    def _outranks(self, other: str) -> bool:
        return self.electorate is not None and self.electorate.outranks(self._name, other)

    # Presiding

    def _preside(self, now: float) -> None:
        assert self.electorate is not None and self.office is None
        self._ballot.close()  # one may be open still, where the office was handed to us meanwhile
        self.office = Leadership(
            self._name, self.electorate, self._interval, self._agenda, self._health, self._out,
            since=now, number=self._beacons,
        )  # fmt: skip
        if self.allegiance.bound_elsewhere(now, self._name):
            self.office.own_vote_from = self.allegiance.promised_until()
        self.allegiance.leave(released=False)
        self.allegiance.coordinator, self.allegiance.epoch = self._name, self._epoch
        self._out += [Elected(self._name, self._epoch, True), WantLease(True)]
        self._agenda.at(now + self._interval, self._count, self.office)
        self.office.round(now)

    def _heard(self, now: float, source: str, epoch: int, heard: HeartbeatAck) -> None:
        if self.office is not None:
            self.office.answered(source, heard.number, epoch, heard.turn)

    def _rival(self, now: float, name: str, heard: int) -> None:
        """Two hold the office, as after a split has healed: the one that hears more members keeps it."""
        assert self.office is not None
        if self._options.highest:
            stays = self._outranks(name)
        else:
            mine = self.office.heard(now)
            stays = mine > heard or (mine == heard and self._outranks(name))
        if stays:
            self._out.append(Send(name, self.office.beacon(now)))
        else:
            self._resign(now, name)

    def _count(self, now: float, office: Leadership) -> None:
        """Whether a majority is heard; at each interval in office."""
        if self.office is not office or self.electorate is None:
            return
        self._agenda.at(now + self._interval, self._count, office)
        duty = self._minority.judge(now, office.majority(now))
        heard, of = office.heard(now), len(self.electorate)
        if duty is Duty.REPORT:
            self._out.append(Doubted(Condition.MINORITY, heard, of))
        elif duty is Duty.RECOVERED:
            self._out.append(Doubted(Condition.BACK, heard, of))
        elif duty is Duty.RESIGN:
            self._minority.abstain(now)
            self._resign(now, "")

    def _resign(self, now: float, successor: str, *, leaves: bool = False) -> None:
        assert self.office is not None
        resign = StepDown(self.office.number, successor, leaves)
        self._out += [Send(name, resign) for name in self.office.followers]
        self.office.close()
        self._beacons = self.office.number
        self.office = None
        self.allegiance.leave(released=False)
        self._out += [Elected("", 0, False), WantLease(False)]
        self._agenda.at(now + self._options.takeover * self._health.stretch, self._elect_if_vacant)

    def _leave(self, now: float) -> None:
        if self.office is not None:
            self._resign(now, self.office.youngest(now), leaves=True)
        elif self.allegiance.coordinator:
            self._out.append(Send(self.allegiance.coordinator, Leave()))
        self._left = True
