"""Is a member dead? SWIM (Das, Gupta and Motivala, 2002) with Lifeguard's corrections (Dadgar et al., 2017), and a
probe of the member's host besides.

A member watches those that follow it on the hash ring and pings one of them at a time. One that does not answer is
suspected (`suspicions.py`). The other way round a member answers pings, refutes what is held of it, and probes others
when it is asked to (`ping_req.py`).
"""

from __future__ import annotations

from typing import Any

from kubesonar.core.hash_ring import place
from kubesonar.core.membership.events import (
    Elected,
    HeartbeatMissed,
    HostProbed,
    Late,
    Received,
    Refused,
    Refuted,
    Remembered,
    Send,
    Throttled,
    ToSelf,
)
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.member_view import NO_MEMBERS, MemberView
from kubesonar.core.membership.messages import Ack, Ping, PingReq, PingReqReply, Reachability, StatusClaimAck
from kubesonar.core.membership.swim.options import SuspicionOptions
from kubesonar.core.membership.swim.ping import Pings
from kubesonar.core.membership.swim.ping_req import IndirectProbes
from kubesonar.core.membership.swim.suspicions import Suspicions
from kubesonar.core.timers import TimedMachine
from kubesonar.model import Condition

HEARSAY = 4.0
"""Seconds for which a member that answers others, but not this one, is not suspected again: what is broken is a way.
Less asks witnesses again and again, more delays the detection of a death that follows."""

HIGHEST_INCARNATION = 2**62
"""No incarnation rises above this: nobody refutes so often, and a forged one must not overflow the wire format."""


class FailureDetector(TimedMachine):
    """A machine of the member `me`. In: `MemberView`, `Elected`, `Received` (any message shows that its
    sender is alive), `ToSelf`, `HostProbed`, `Refused`, `HeartbeatMissed`, `Late`, `Throttled`,
    `Remembered`. Out: `Send`,
    `ProbeHost`, `CoordinatorLost`, `Refuted`."""

    def __init__(self, me: str, options: SuspicionOptions, health: LocalHealth) -> None:
        super().__init__()
        self._me = me
        self._options = options
        self._health = health
        self._view = NO_MEMBERS
        self._started = False
        self._incarnation = 0
        self._targets: list[str] = []
        self._next = 0
        self._known: dict[str, tuple[int, int]] = {}
        self._since: dict[str, float] = {}
        self._hearsay: dict[str, float] = {}
        self._pings = Pings(self._timers, self._emit, health, options.answer)
        self._indirect = IndirectProbes(self._timers, self._emit, health, self._pings, options.answer)
        self._suspicions = Suspicions(me, options, health, self._timers, self._emit, self._pings)
        self._handlers: dict[type, Any] = {
            Ping: self._pinged,
            Ack: self._acknowledged,
            PingReq: self._asked,
            PingReqReply: self._replied,
            StatusClaimAck: self._claim_acknowledged,
        }

    @property
    def suspected(self) -> dict[str, Condition | None]:
        """The members suspected now, and the condition held of each (None: not judged yet)."""
        return self._suspicions.conditions

    def _take(self, now: float, event: object) -> None:
        if isinstance(event, Received):
            self._received(now, event)
        elif isinstance(event, HostProbed):
            self._indirect.host_probed(event.target, event.number, event.reachability)
            self._suspicions.host_probed(event)
        elif isinstance(event, ToSelf):
            if isinstance(event.message, StatusClaimAck) and self._me in self._view.members:
                self._suspicions.acknowledged(now, self._me, event.message)
        elif isinstance(event, Refused):
            self._pings.refused(now, event.target)
        elif isinstance(event, HeartbeatMissed):
            self._heartbeat_missed(now, event)
        elif isinstance(event, Elected):
            self._suspicions.elected(now, event)
        elif isinstance(event, Late):
            self._late(now, event.seconds)
        elif isinstance(event, Remembered):
            for claim in event.claims if self._me in self._view.members else ():
                self._suspicions.recall(now, claim)
        elif isinstance(event, Throttled):
            self._health.throttle(event.share)
        elif isinstance(event, MemberView):
            self._change(now, event)

    def _received(self, now: float, event: Received) -> None:
        source = event.source
        if source not in self._view.members:
            return
        handler = self._handlers.get(type(event.message))
        if handler is not None:
            handler(now, source, event.epoch, event.message)
        if source in self._suspicions and not isinstance(event.message, Ack):
            incarnation = self._suspicions.sign_of_life(now, source, event.epoch)
            if incarnation is not None:
                self._know(source, event.epoch, incarnation)

    def _know(self, name: str, epoch: int, incarnation: int) -> None:
        if name in self._since:
            self._known[name] = (epoch, incarnation)

    # Watching others

    def _change(self, now: float, view: MemberView) -> None:
        before, self._view = self._view, view
        members = view.members
        member = self._me in members  # a roster may lack this member, before it knows it or when it has dropped it
        self._targets = view.neighbours(self._me, self._options.watched) if member else []
        self._suspicions.change(now, view)
        concerned = {*self._targets, *self._suspicions.conditions}
        news = {name for name in concerned if view.renamed(name, before)}  # successors, which may take time to start
        self._known = {name: known for name, known in self._known.items() if name in concerned - news}
        self._since = {name: now if name in news else self._since.get(name, now) for name in concerned}
        self._hearsay = {name: until for name, until in self._hearsay.items() if name in members}
        if not self._started:
            self._started = True
            self._timers.at(now + place(self._me) / 2**64 * self._options.interval, self._tick)

    def _tick(self, now: float) -> None:
        self._timers.at(now + self._options.interval, self._tick)
        if not self._targets:
            return
        self._next = (self._next + 1) % len(self._targets)
        name = self._targets[self._next]
        if name in self._suspicions:
            self._suspicions.remind(now, name)
        else:
            self._pings.send(now, name, self._missed)

    def _heartbeat_missed(self, now: float, event: HeartbeatMissed) -> None:
        name = event.member
        if name not in self._suspicions and name in self._view.members:
            self._since.setdefault(name, now)
            self._known[name] = max(self._known.get(name, (0, 0)), (event.epoch, event.incarnation))
            self._pings.send(now, name, self._missed)

    def _missed(self, now: float, name: str, sent: float) -> None:
        member = self._view.members.get(name)
        if member is None or not member.expected or self._me not in self._view.members:
            return
        if self._hearsay.get(name, now) > now:
            return
        epoch, incarnation = self._known.get(name, (0, 0))
        if not epoch and now - self._since.get(name, now) < self._options.welcome:
            return
        self._suspicions.open(now, name, sent, epoch or member.epoch, incarnation)

    def _acknowledged(self, now: float, source: str, epoch: int, ack: Ack) -> None:
        if self._pings.answered(source, ack.number):
            self._health.recover()
        self._indirect.answered(source, epoch, ack.incarnation)
        self._know(source, epoch, ack.incarnation)
        if source in self._suspicions:
            self._suspicions.alive(now, source, epoch, ack.incarnation)

    def _replied(self, now: float, source: str, epoch: int, reply: PingReqReply) -> None:
        suspicion = self._suspicions.asked_for(source, reply)
        if suspicion is None:
            return
        if reply.reachability is not Reachability.AGENT:
            self._suspicions.replied(now, source, suspicion, reply)
            return
        self._hearsay[reply.target] = now + HEARSAY
        if self._suspicions.alive(now, reply.target, reply.epoch, reply.incarnation):
            self._know(reply.target, reply.epoch, reply.incarnation)

    def _claim_acknowledged(self, now: float, source: str, epoch: int, ack: StatusClaimAck) -> None:
        self._suspicions.acknowledged(now, source, ack)

    def _late(self, now: float, seconds: float) -> None:
        if self._health.enabled:
            self._health.degrade(1 + int(seconds))
            self._pings.forget()
            self._indirect.forget()
            self._suspicions.restart(now)

    # Being watched, and asked by others

    def _pinged(self, now: float, source: str, epoch: int, ping: Ping) -> None:
        held = ping.doubt in (Condition.DEAD, Condition.GONE, Condition.FROZEN)
        if held and self._incarnation <= ping.incarnation < HIGHEST_INCARNATION:
            self._incarnation = ping.incarnation + 1
            self._emit(Refuted(self._incarnation))
        elif ping.doubt is Condition.SUSPECT:
            self._health.degrade()
        self._emit(Send(source, Ack(ping.number, self._incarnation)))

    def _asked(self, now: float, source: str, epoch: int, request: PingReq) -> None:
        if request.target == self._me:
            self._emit(Send(source, PingReqReply(request.number, request.target, Reachability.AGENT)))
        elif request.target not in self._view.members:
            self._indirect.refuse(source, request)
        else:
            self._indirect.ask(now, source, request, self._suspicions.next_number())
