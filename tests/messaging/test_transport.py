"""Members' messages over real sockets: delivered once, to whom they are for, and useless to who recorded them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec
import pytest

from kubesonar.core.membership.events import Received, Send
from kubesonar.core.membership.messages import (
    Ack,
    Alive,
    HeartbeatAck,
    Message,
    Ping,
    PingReq,
    PingReqReply,
    Reachability,
    Seen,
    StatusClaim,
    StatusClaimAck,
    StepDown,
)
from kubesonar.core.wire.codec import CURRENT, Datagram, Sender, mismatch
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.core.wire.keyring import Keyring
from kubesonar.messaging.transport import RETRANSMIT_INTERVAL, MessageTransport
from kubesonar.model import Condition, Member, Roster
from kubesonar.net.udp.responder import UdpResponder
from tests.clocks import TurnedClock
from tests.net.rig import run, who
from tests.waiting import until

KEY = Keyring({1: bytes(16)}, 1)
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
both = pytest.mark.parametrize("address", ["127.0.0.1", "::1"])


class End:
    """One member with a socket of its own; `speak` is the newest wire version it speaks."""

    def __init__(
        self, name: str, epoch: int, address: str, port: int = 0, ring: Keyring = KEY, speak: int = CURRENT
    ) -> None:
        self.name = name
        self.speak = speak
        self.clock = TurnedClock()
        self.heard: list[Received] = []
        self.frames: list[bytes] = []
        self.hurries = 0
        self._ring = ring
        self.sender = Sender(who(name), epoch)
        self.responder = UdpResponder(
            [address],
            port,
            me=lambda: self.sender.identity,
            ring=self.ring,
            publish=lambda record: None,
            speak=speak,
        )
        self.responder.deliver_to(self.arrived)
        self.member = Member(name, f"node-{name}", (address,), self.responder.port)
        self.sender.become(WireIdentity.of(self.member))
        self.id = self.member.identity
        self.courier = MessageTransport(self, self.sender, self.heard.append, self.clock)

    def ring(self) -> Keyring:
        return self._ring

    def send(self, frame: bytes, address: str, port: int) -> bool:
        self.frames.append(frame)
        return self.responder.send(frame, address, port)

    def hurry(self) -> None:
        self.hurries += 1
        self.responder.hurry()

    def knows(self, *members: Member) -> None:
        self.courier.roster_changed(Roster("1", members))

    def arrived(self, datagram: Datagram, address: str, port: int) -> None:
        self.courier.arrived(datagram, address, port)

    def said(self) -> list[tuple[str, int, object]]:
        return [(one.source.split("/")[0].removeprefix("node-"), one.epoch, one.message) for one in self.heard]


@contextmanager
def ends(*made: End) -> Iterator[None]:
    with ExitStack() as stack:
        for end in made:
            end.knows(*(one.member for one in made))
            stack.callback(end.responder.close)
        yield


async def settled() -> None:
    for _ in range(6):
        await asyncio.sleep(0.005)


def test_a_message_leaves_by_the_next_address_where_the_kernel_takes_nothing_for_one() -> None:
    async def play() -> list[tuple[str, int, object]]:
        a, b = End("a", 111, "127.0.0.1"), End("b", 222, "127.0.0.1")
        b.member = msgspec.structs.replace(b.member, addresses=("::1", "127.0.0.1"))
        with ends(a, b):
            for number in range(4):
                a.courier.send(Send(b.id, Ping(number)))
                await settled()
            return b.said()

    assert [message for _, _, message in run(play())] == [Ping(number) for number in range(4)]


@both
def test_the_first_message_arrives_although_neither_knows_the_others_epoch(address: str) -> None:
    async def play() -> None:
        a, b = End("a", 111, address), End("b", 222, address)
        with ends(a, b):
            a.courier.send(Send(b.id, Ping(7)))
            await settled()
            assert b.said() == [("a", 111, Ping(7))]
            b.courier.send(Send(a.id, Ack(7)))
            await settled()
            assert a.said() == [("b", 222, Ack(7))]
            assert len(a.frames) == 2, "said again once; from then on each message is one datagram"
            assert b.courier.counters["greeted"] == 1

    run(play())


def test_a_restarted_member_is_spoken_to_as_the_new_one() -> None:
    async def play() -> None:
        a, b = End("a", 1, "127.0.0.1"), End("b", 2, "127.0.0.1")
        with ends(a):
            with ends(b):
                a.knows(b.member)
                b.knows(a.member)
                a.courier.send(Send(b.id, Ping(1)))
                await settled()
                assert b.said() == [("a", 1, Ping(1))]
            again = End("b", 3, "127.0.0.1", port=b.member.port)
            with ends(again):
                again.knows(a.member)
                a.courier.send(Send(b.id, Ping(2)))
                await settled()
                assert again.said() == [("a", 1, Ping(2))]

    run(play())


def test_what_was_recorded_is_of_no_use_after_a_restart_nor_elsewhere() -> None:
    async def play() -> None:
        a, b, c = (End(name, 5, "127.0.0.1") for name in "abc")
        with ends(a, b, c):
            a.courier.send(Send(b.id, Ping(1)))
            await settled()
            recorded = a.frames[-1]
            a.responder.send(recorded, "127.0.0.1", b.member.port)  # again to the same
            a.responder.send(recorded, "127.0.0.1", c.member.port)  # to another
            await settled()
            assert (len(b.heard), len(c.heard)) == (1, 0)
        restarted = End("b", 6, "127.0.0.1", port=b.member.port)
        with ends(restarted, a := End("a", 5, "127.0.0.1", port=a.member.port)):
            a.responder.send(recorded, "127.0.0.1", restarted.member.port)
            await settled()
            assert restarted.heard == []
            assert restarted.courier.counters["outdated"] == 1

    run(play())


def test_strangers_are_not_heard_with_a_key_and_unknown_or_with_none() -> None:
    async def play() -> None:
        a, b = End("a", 1, "127.0.0.1"), End("b", 2, "127.0.0.1")
        forger = End("a", 9, "127.0.0.1", ring=Keyring({1: bytes(15) + b"x"}, 1))
        stranger = End("x", 9, "127.0.0.1")
        with ends(a, b), ends(forger), ends(stranger):
            for end in (forger, stranger):
                end.knows(b.member)
                end.courier.send(Send(b.id, Ping(1)))
            await settled()
            assert b.heard == []
            assert (b.courier.counters["strangers"], b.responder.counters["mac"]) == (1, 1)
            assert b.courier.counters["greeted"] == 0, "a stranger is not answered"

    run(play())


def test_what_is_old_is_not_said_again_to_one_who_comes_back() -> None:
    async def play() -> None:
        a, b = End("a", 1, "127.0.0.1"), End("b", 2, "127.0.0.1")
        with ends(a, b):
            a.knows(msgspec.structs.replace(b.member, port=9))  # it is not there yet
            a.courier.send(Send(b.id, Ping(1)))
            a.knows(b.member)
            a.clock.ahead = RETRANSMIT_INTERVAL + 0.1
            b.courier.send(Send(a.id, Ping(2)))
            await settled()
            assert a.said() == [("b", 2, Ping(2))]
            assert b.heard == []

    run(play())


def test_noise_with_a_good_signature_is_counted_and_not_heard() -> None:
    async def play() -> None:
        a, b = End("a", 1, "127.0.0.1"), End("b", 2, "127.0.0.1")
        with ends(a, b):
            for payload in (b"\xc1", b"\x92\x7f\x01", bytes(900)):
                a.responder.send(
                    a.sender.message(KEY, b.sender.identity.identity, 2, payload), "127.0.0.1", b.member.port
                )
            await settled()
            assert b.heard == []
            assert (b.courier.counters["malformed"], b.courier.counters["unknown"]) == (2, 1)

    run(play())


def naming(id: str) -> list[Message]:
    """A message of each kind that names members."""
    return [
        PingReq(1, id),
        PingReqReply(1, id, Reachability.SILENT),
        StatusClaim(id, 1, 0, Condition.DEAD, witnesses=(Seen(id, Reachability.SILENT),)),
        StatusClaimAck(id, 1, 0, Condition.DEAD),
        Alive(1, id),
        Alive(1),
        StepDown(1, id),
        StepDown(1),
    ]


@pytest.mark.parametrize(("one", "other"), [(2, CURRENT), (CURRENT, 2), (2, 2), (CURRENT, CURRENT)])
def test_members_of_an_older_version_are_understood_and_understand(one: int, other: int) -> None:
    async def play() -> None:
        a, b = End("a", 111, "127.0.0.1", speak=one), End("b", 222, "127.0.0.1", speak=other)
        c = Member("c", "node-c", ("127.0.0.1",), 9)
        with ends(a, b):
            for end in (a, b):
                end.knows(a.member, b.member, c)
            for sender, receiver in ((a, b), (b, a)):
                for message in naming(c.identity):
                    sender.courier.send(Send(receiver.id, message))
                    await settled()
                assert [heard.message for heard in receiver.heard] == naming(c.identity)
                assert {heard.source for heard in receiver.heard} == {sender.id}
            assert a.courier.counters["strangers"] + b.courier.counters["strangers"] == 0

    run(play())


def test_a_member_that_was_upgraded_is_spoken_to_in_the_new_version() -> None:
    async def play() -> None:
        a, b = End("a", 1, "127.0.0.1"), End("b", 2, "127.0.0.1", speak=2)
        with ends(a):
            with ends(b):
                a.knows(b.member)
                b.knows(a.member)
                a.courier.send(Send(b.id, Ping(1)))
                await settled()
                assert (b.said(), a.frames[-1][2]) == ([("a", 1, Ping(1))], 2)
            again = End("b", 3, "127.0.0.1", port=b.member.port)
            with ends(again):
                again.knows(a.member)
                a.courier.send(Send(b.id, Ping(2)))
                await settled()
                again.courier.send(Send(a.id, Ack(2)))
                a.courier.send(Send(b.id, Ping(3)))
                await settled()
                assert [heard.message for heard in again.heard] == [Ping(2), Ping(3)]
                assert (again.frames[-1][2], a.frames[-1][2]) == (CURRENT, CURRENT)

    run(play())


def test_a_forged_mismatch_costs_nothing_but_one_message_in_the_older_version() -> None:
    async def play() -> None:
        a, b = End("a", 1, "127.0.0.1"), End("b", 2, "127.0.0.1")
        with ends(a, b):
            a.courier.send(Send(b.id, Ping(1)))
            await settled()
            forged = mismatch(a.frames[-1], 2)
            assert forged is not None
            b.responder.send(forged, "127.0.0.1", a.member.port)
            await settled()
            a.courier.send(Send(b.id, Ping(2)))
            b.courier.send(Send(a.id, Ack(2)))
            await settled()
            a.courier.send(Send(b.id, Ping(3)))
            await settled()
            assert {heard.message for heard in b.heard} == {Ping(1), Ping(2), Ping(3)}
            assert a.frames[-1][2] == CURRENT

    run(play())


def test_members_with_rosters_by_dns_and_by_kubernetes_know_each_other() -> None:
    """`a` knows addresses only; to the others it is a pod on a node like any other."""

    async def play() -> None:
        a, b, c = (End(name, epoch, address) for name, epoch, address in zip("abc", (1, 2, 3), ADDRESSES, strict=True))

        def by_dns(member: Member) -> Member:
            address = member.addresses[0]
            return Member(address, address, (address,), member.port)

        with ends(a, b, c):
            a.knows(a.member, by_dns(b.member), by_dns(c.member))
            for other in (b, c):
                there = by_dns(other.member).identity
                a.courier.send(Send(there, Ping(1)))
                await settled()
                assert other.said() == [("a", 1, Ping(1))]
                other.courier.send(Send(a.id, Ack(1)))
                await settled()
                assert a.heard[-1] == Received(there, other.sender.epoch, Ack(1))
            for message in naming(c.id):
                b.courier.send(Send(a.id, message))
            await settled()
            assert [heard.message for heard in a.heard[2:]] == naming(by_dns(c.member).identity)
            for message in naming(by_dns(c.member).identity):
                a.courier.send(Send(by_dns(b.member).identity, message))
            await settled()
            assert [heard.message for heard in b.heard[1:]] == naming(c.id)
            for message in naming(a.id):
                b.courier.send(Send(a.id, message))
            await settled()
            assert [heard.message for heard in a.heard[-8:]] == naming(a.id)

    run(play())


def test_a_successor_on_the_same_node_is_the_same_member_in_a_later_epoch() -> None:
    async def play() -> None:
        a, b = End("a", 1, "127.0.0.1"), End("b", 2, "127.0.0.1")
        with ends(a):
            with ends(b):
                a.knows(b.member)
                b.knows(a.member)
                b.courier.send(Send(a.id, Ping(1)))
                await settled()
            successor = End("b", 3, "127.0.0.2", port=b.member.port)
            with ends(successor):
                successor.knows(a.member)
                a.knows(msgspec.structs.replace(successor.member, name="b-2"))
                successor.courier.send(Send(a.id, Ping(2)))
                await settled()
                assert [(heard.source, heard.epoch) for heard in a.heard] == [(b.id, 2), (b.id, 3)]

    run(play())


@pytest.mark.parametrize(
    ("message", "hurried"),
    [
        (Ping(1), False),
        (Ping(1, Condition.DEAD), False),
        (Ping(1, Condition.SUSPECT), True),
        (HeartbeatAck(1), False),
        (PingReq(1, "c"), True),
    ],
)
def test_both_ends_hurry_after_a_message_that_others_follow(message: Message, hurried: bool) -> None:
    async def play() -> tuple[int, int]:
        a, b = End("a", 111, "127.0.0.1"), End("b", 222, "127.0.0.1")
        with ends(a, b):
            a.courier.send(Send(b.id, message))
            await until(lambda: b.said())
            return a.hurries, b.hurries

    assert run(play()) == (int(hurried), int(hurried))
