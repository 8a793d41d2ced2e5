"""Carries messages between members, in signed datagrams between the ports that answer probes.

A message names the epoch of its receiver, so that what was recorded before a restart is of no use after it. A receiver
whose epoch the sender does not know, or whose epoch before it knows, answers with a greeting, a message without
content; the sender then says its message again. In the same way one that speaks only an older version of the wire
format answers with a MISMATCH, and is sent the message again in that version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Protocol

from kubesonar.core.address import canonical_address
from kubesonar.core.membership.events import Received, Send
from kubesonar.core.membership.member_view import by_identity
from kubesonar.core.membership.messages import (
    Ack,
    Heartbeat,
    HeartbeatAck,
    Message,
    Other,
    Ping,
    decode_message,
    encode_message,
)
from kubesonar.core.wire import codec
from kubesonar.core.wire.codec import Datagram, DatagramType, Sender
from kubesonar.core.wire.identity import MemberIndex, WireIdentity
from kubesonar.core.wire.keyring import Keyring
from kubesonar.messaging.references import References
from kubesonar.model import Condition, Member, Roster
from kubesonar.net.clock import Clock

RETRANSMIT_INTERVAL = 1.0
"""Seconds within which a message that could not be taken is said again; later it may not be true any more."""

_GREETING = b""

_ROUTINE = frozenset({Ping, Ack, Heartbeat, HeartbeatAck})
"""The messages of members while all is well."""


class MessagePeer:
    """The knowledge of this member about another: where it is, its `epoch` (0: unknown), the version to send to it, and
    the last message to it, when it was said and under which counter."""

    __slots__ = ("addresses", "counter", "epoch", "identity", "member", "message", "said", "version")

    def __init__(self, member: Member, version: int) -> None:
        self.is_now(member)
        self.version = version
        self.epoch = 0
        self.message: Message | None = None
        self.said = 0.0
        self.counter = 0

    def is_now(self, member: Member) -> None:
        """Take over what the roster says of it."""
        self.member = member
        self.identity = WireIdentity.of(member)
        self.addresses = frozenset(map(canonical_address, member.addresses))


class MessagePort(Protocol):
    """The UDP port of this member: the newest wire version that it speaks, the keys in force, a way to send, and one to
    let ticks come faster for a while."""

    @property
    def speak(self) -> int: ...

    def ring(self) -> Keyring: ...

    def send(self, data: bytes, address: str, port: int) -> bool: ...

    def hurry(self) -> None: ...


class MessageTransport:
    """Messages of `sender` leave by `port`; `deliver` is called with those for this member. `counters` has "delivered",
    "greeted" and what was dropped: "strangers" (the roster does not name them), "outdated" (not for this epoch),
    "malformed", "unknown" (a kind that only a later version knows)."""

    def __init__(self, port: MessagePort, sender: Sender, deliver: Callable[[Received], None], clock: Clock) -> None:
        self.counters: Counter[str] = Counter()
        self._port = port
        self._sender = sender
        self._newest = port.speak
        self._deliver = deliver
        self._clock = clock
        self._index = MemberIndex()
        self._references = References()
        self._peers: dict[str, MessagePeer] = {}
        self._turn = count()

    def roster_changed(self, roster: Roster) -> None:
        """Learn which members may send messages, and where they are."""
        members = by_identity(roster.members)
        self._index = MemberIndex(members.values())
        self._references = References(members.values())
        known = self._peers
        self._peers = {
            id: known.get(id) or MessagePeer(one, self._newest) for id, one in members.items() if one.addresses
        }
        for id, peer in self._peers.items():
            peer.is_now(members[id])

    def send(self, order: Send) -> None:
        """Send a message once, if the roster knows where to."""
        peer = self._peers.get(order.to)
        if peer is not None:
            self._heed(order.message)
            peer.message, peer.said = order.message, self._clock.mono()
            self._dispatch(peer, order.message)

    def arrived(self, datagram: Datagram, address: str, port: int) -> None:
        """Take a message whose signature was right and that is new, or a MISMATCH (see `net.udp.responder`)."""
        if datagram.type is DatagramType.MISMATCH:
            self._mismatch(datagram)
            return
        member = self._index.find(datagram.source, datagram.alias)
        peer = self._peers.get(member.identity) if member is not None else None
        if peer is None:
            self.counters["strangers"] += 1
            return
        peer.version = min(self._newest, max(datagram.version, datagram.flags))
        if datagram.addressee_epoch != self._sender.epoch:
            self.counters["outdated"] += 1
            if datagram.payload:
                self._greet(datagram, address, port)
            return
        if peer.epoch != datagram.epoch:
            peer.epoch = datagram.epoch
            self._say_again(peer)
        if datagram.payload:
            self._hear(peer, datagram, address.partition("%")[0] not in peer.addresses)

    def _hear(self, peer: MessagePeer, datagram: Datagram, elsewhere: bool) -> None:
        message = decode_message(datagram.payload)
        if message is None:
            self.counters["malformed"] += 1
        elif isinstance(message, Other):
            self.counters["unknown"] += 1
        else:
            self.counters["delivered"] += 1
            self._heed(message)
            known = self._references.incoming(message)
            self._deliver(Received(peer.member.identity, datagram.epoch, known, elsewhere))

    def _heed(self, message: Message) -> None:
        """Let ticks come faster where this message is more than members tell each other each second: others follow it,
        for which somebody waits."""
        if type(message) not in _ROUTINE or (isinstance(message, Ping) and message.doubt is Condition.SUSPECT):
            self._port.hurry()

    def _say_again(self, peer: MessagePeer) -> None:
        if peer.message is not None and self._clock.mono() - peer.said <= RETRANSMIT_INTERVAL:
            self._dispatch(peer, peer.message)

    def _mismatch(self, datagram: Datagram) -> None:
        """Speak an older version to the member that did not understand the last message. The word for it is not
        authenticated, and does no harm: each side says in every message what it understands."""
        if datagram.epoch != self._sender.epoch or not codec.OLDEST <= datagram.version < self._newest:
            return
        for peer in self._peers.values():
            if peer.counter == datagram.counter and peer.version > datagram.version:
                peer.version = datagram.version
                self._say_again(peer)

    def _greet(self, datagram: Datagram, address: str, port: int) -> None:
        """Tell the sender this member's epoch. A greeting is never longer than what it answers, and never answered with
        another."""
        self.counters["greeted"] += 1
        self._transmit(datagram.source, datagram.epoch, _GREETING, datagram.version, address, port)

    def _dispatch(self, peer: MessagePeer, message: Message) -> None:
        """Send by each of the peer's addresses in turn, so that one dead family does not silence it; where the kernel
        takes nothing for one, as a machine without IPv6, by the next."""
        member, turn = peer.member, next(self._turn)
        payload = encode_message(self._references.outgoing(message, peer.version))
        addressee = peer.identity.source(peer.version)
        for offset in range(len(member.addresses)):
            address = member.addresses[(turn + offset) % len(member.addresses)]
            if self._transmit(addressee, peer.epoch, payload, peer.version, address, member.port):
                break
        peer.counter = self._sender.counter

    def _transmit(self, addressee: bytes, epoch: int, payload: bytes, version: int, address: str, port: int) -> bool:
        frame = self._sender.message(self._port.ring(), addressee, epoch, payload, version, self._newest)
        return self._port.send(frame, address, port)
