"""Drives membership on asyncio: messages go through the transport, host probes over the network."""

from __future__ import annotations

from collections.abc import Callable

from kubesonar.core.membership.events import HostProbed, MembershipAction, MembershipEvent, ProbeHost, Send
from kubesonar.core.membership.instance import Membership, MembershipOptions
from kubesonar.core.membership.member_view import MemberView, by_identity
from kubesonar.core.wire.codec import Sender
from kubesonar.messaging.host_probe import probe_host
from kubesonar.messaging.transport import MessagePort, MessageTransport
from kubesonar.model import Member, Roster
from kubesonar.net.clock import Clock
from kubesonar.net.icmp.pinger import Pinger
from kubesonar.net.udp.train_sender import TrainSender
from kubesonar.runtime.drive import Drive
from kubesonar.runtime.supervise import Supervisor


class MembershipShell:
    """The shell of one member's `Membership`; `act` is called with every action that is neither a message nor a host
    probe. To be made on the running loop.

    Where a roster tells that this member's identity is another than it knew (its node was not configured), `machine` is
    replaced by a new one, as if it had just been started."""

    def __init__(
        self,
        me: Member,
        options: MembershipOptions,
        port: MessagePort,
        sender: Sender,
        *,
        pinger: Pinger,
        trains: TrainSender,
        supervisor: Supervisor,
        clock: Clock,
        lag: Callable[[float], None],
        act: Callable[[MembershipAction], None],
    ) -> None:
        self._options = options
        self._pinger = pinger
        self._trains = trains
        self._supervisor = supervisor
        self._clock = clock
        self._lag = lag
        self._report = act
        self._members: dict[str, Member] = {}
        self.transport = MessageTransport(port, sender, self.feed, clock)
        self._begin(me)

    def _begin(self, me: Member) -> None:
        self._me = me
        self.machine = Membership(me.identity, me.epoch, self._options)
        self._drive: Drive[MembershipEvent, MembershipAction] = Drive(self.machine, self._clock, self._act, self._lag)

    def roster_changed(self, roster: Roster, me: Member) -> None:
        """Take over the members, and who this one is among them."""
        if me.identity != self._me.identity:
            self._drive.stop()
            self._begin(me)
        self._members = by_identity(roster.members)
        self.transport.roster_changed(roster)
        self._drive.feed(MemberView(self._members, self._options.election.order))

    def name_of(self, id: str) -> str:
        """The name of the member with this identity; the identity itself where the roster does not name it."""
        return self._members[id].name if id in self._members else id

    def feed(self, event: MembershipEvent) -> None:
        """Feed the machine an event."""
        self._drive.feed(event)

    def stop(self) -> None:
        """Take no further step."""
        self._drive.stop()

    def _act(self, action: MembershipAction) -> None:
        if isinstance(action, Send):
            self.transport.send(action)
        elif isinstance(action, ProbeHost):
            self._supervisor.run_once(f"probe the host of {action.target}", self._probe_host(action))
        else:
            self._report(action)

    async def _probe_host(self, order: ProbeHost) -> None:
        member = self._members.get(order.target)
        if member is not None:
            found = await probe_host(member, order.timeout, self._pinger, self._trains)
            self.feed(HostProbed(order.number, order.target, found))
