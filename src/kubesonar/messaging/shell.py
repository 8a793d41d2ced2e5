"""Drives membership on asyncio: its messages go through the courier, its looks over the network, all else is told."""

from __future__ import annotations

from collections.abc import Callable

from kubesonar.core.machine import Machine
from kubesonar.core.membership.events import HostProbed, MembershipAction, MembershipEvent, ProbeHost, Received, Send
from kubesonar.core.membership.member_view import MemberView, Rank
from kubesonar.core.wire.codec import Datagram, Keyring, Sender
from kubesonar.messaging.host_probe import probe_host
from kubesonar.messaging.transport import MessageTransport
from kubesonar.model import Member, Roster
from kubesonar.net.clock import Clock
from kubesonar.net.icmp.pinger import Pinger
from kubesonar.runtime.drive import Drive
from kubesonar.runtime.supervise import Supervisor


class MembershipShell:
    """The shell of `machine`. `send` hands a datagram to the wire, `tell` gets every action that is neither a message
    nor a look. To be made on the running loop."""

    def __init__(
        self,
        me: Member,
        machine: Machine[MembershipEvent, MembershipAction],
        order: Rank,
        *,
        sender: Sender,
        ring: Callable[[], Keyring],
        send: Callable[[bytes, str, int], bool],
        pinger: Pinger,
        supervisor: Supervisor,
        clock: Clock,
        lag: Callable[[float], None],
        tell: Callable[[MembershipAction], None],
    ) -> None:
        self._me = me
        self._order = order
        self._pinger = pinger
        self._supervisor = supervisor
        self._tell = tell
        self._members: dict[str, Member] = {}
        self.courier = MessageTransport(sender, ring, send, self._received, clock)
        self._drive: Drive[MembershipEvent, MembershipAction] = Drive(machine, clock, self._act, lag)

    def roster_changed(self, roster: Roster) -> None:
        """Learns the members of our own network."""
        self._members = {member.name: member for member in roster.members}
        self.courier.roster_changed(roster)
        self._drive.feed(MemberView(roster, self._me.network, self._order))

    def arrived(self, datagram: Datagram, address: str, port: int) -> None:
        """A message came to our port."""
        self.courier.arrived(datagram, address, port)

    def event(self, event: MembershipEvent) -> None:
        """Tells the machine what only its owner knows: `Strained`, `Leaving`, `Leased`, `Told`."""
        self._drive.feed(event)

    def stop(self) -> None:
        """Takes no further step."""
        self._drive.stop()

    def _received(self, received: Received) -> None:
        self._drive.feed(received)

    def _act(self, action: MembershipAction) -> None:
        if isinstance(action, Send):
            self.courier.send(action)
        elif isinstance(action, ProbeHost):
            self._supervisor.run_once(f"look at {action.target}", self._look(action))
        else:
            self._tell(action)

    async def _look(self, order: ProbeHost) -> None:
        member = self._members.get(order.target)
        if member is not None:
            sight = await probe_host(member, order.timeout, self._pinger)
            self._drive.feed(HostProbed(order.number, order.target, sight))
