"""Carries what members say to each other, in signed datagrams between the ports on which they answer probes.

A message names the epoch of whom it is for, so that what was recorded before a restart is of no use after it. Who does
not know that epoch, or knows the one before, is told it by a message without content, and says it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import count

from kubesonar.core.membership.events import Received, Send
from kubesonar.core.membership.messages import Other, decode_message, encode_message
from kubesonar.core.wire import codec
from kubesonar.core.wire.codec import Datagram, Keyring, Sender
from kubesonar.model import Member, Roster
from kubesonar.net.clock import Clock

RETRANSMIT_INTERVAL = 1.0
"""What could not be taken is said again within so many seconds (s); later it may not be true any more."""

_GREETING = b""


class MessageTransport:
    """`send` hands a datagram to the wire, `deliver` gets what was said to us. `counters` has "delivered", "greeted",
    and what was dropped: "strangers" (whom the roster does not name), "outdated" (not for this epoch), "malformed",
    "unknown" (a kind that only a later version knows)."""

    def __init__(
        self,
        sender: Sender,
        ring: Callable[[], Keyring],
        send: Callable[[bytes, str, int], bool],
        deliver: Callable[[Received], None],
        clock: Clock,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._sender = sender
        self._ring = ring
        self._send = send
        self._deliver = deliver
        self._clock = clock
        self._members: dict[str, Member] = {}
        self._names: dict[bytes, str] = {}
        self._epochs: dict[str, int] = {}
        self._last: dict[str, tuple[float, bytes]] = {}
        self._turn = count()

    def roster_changed(self, roster: Roster) -> None:
        """Learns who may speak to us, and where they are."""
        self._members = {member.name: member for member in roster.members if member.addresses}
        self._names = {codec.identity(name): name for name in self._members}
        self._epochs = {name: epoch for name, epoch in self._epochs.items() if name in self._members}
        self._last = {name: last for name, last in self._last.items() if name in self._members}

    def send(self, order: Send) -> None:
        """Sends it once, if the roster knows where to."""
        if order.to in self._members:
            payload = encode_message(order.message)
            self._last[order.to] = self._clock.mono(), payload
            self._dispatch(order.to, payload)

    def arrived(self, datagram: Datagram, address: str, port: int) -> None:
        """A message whose signature was right and that is new (see `net.responder.UdpResponder`)."""
        name = self._names.get(datagram.source)
        if name is None:
            self.counters["strangers"] += 1
        elif datagram.addressee_epoch != self._sender.epoch:
            self.counters["outdated"] += 1
            if datagram.payload:
                self._greet(datagram, address, port)
        else:
            self._known(name, datagram.epoch)
            if datagram.payload:
                self._hear(name, datagram)

    def _hear(self, name: str, datagram: Datagram) -> None:
        message = decode_message(datagram.payload)
        if message is None:
            self.counters["malformed"] += 1
        elif isinstance(message, Other):
            self.counters["unknown"] += 1
        else:
            self.counters["delivered"] += 1
            self._deliver(Received(name, datagram.epoch, message))

    def _known(self, name: str, epoch: int) -> None:
        """Says again what a member could not take, because we did not know its epoch."""
        if self._epochs.get(name) != epoch:
            self._epochs[name] = epoch
            said, payload = self._last.get(name, (0.0, _GREETING))
            if payload and self._clock.mono() - said <= RETRANSMIT_INTERVAL:
                self._dispatch(name, payload)

    def _greet(self, datagram: Datagram, address: str, port: int) -> None:
        """Tells our epoch; never longer than what it answers, and never answered with another greeting."""
        self.counters["greeted"] += 1
        frame = self._sender.message(self._ring(), datagram.source, datagram.epoch, _GREETING)
        self._send(frame, address, port)

    def _dispatch(self, name: str, payload: bytes) -> None:
        """By each of its addresses in turn, so that one dead family does not silence it."""
        member = self._members[name]
        address = member.addresses[next(self._turn) % len(member.addresses)]
        epoch = self._epochs.get(name, 0)
        frame = self._sender.message(self._ring(), codec.identity(name), epoch, payload)
        self._send(frame, address, member.port)
