"""Members' messages over real sockets: delivered once, to whom they are for, and useless to who recorded them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec
import pytest

from kubesonar.core.membership.events import Received, Send
from kubesonar.core.membership.messages import Ack, Ping
from kubesonar.core.wire.codec import Datagram, Keyring, Sender, identity
from kubesonar.messaging.transport import RETRANSMIT_INTERVAL, MessageTransport
from kubesonar.model import Member, Roster
from kubesonar.net.clock import SystemClock
from kubesonar.net.udp.responder import UdpResponder
from tests.net.rig import run

KEY = Keyring({1: bytes(16)}, 1)
both = pytest.mark.parametrize("address", ["127.0.0.1", "::1"])


class FakeTime(SystemClock):
    """A clock that a test may turn."""

    ahead = 0.0

    def mono(self) -> float:
        return super().mono() + self.ahead


class End:
    """One member's courier on a socket of its own."""

    def __init__(self, name: str, epoch: int, address: str, port: int = 0, ring: Keyring = KEY) -> None:
        self.name = name
        self.clock = FakeTime()
        self.heard: list[Received] = []
        self.frames: list[bytes] = []
        self.sender = Sender(identity(name), epoch)
        self.responder = UdpResponder(
            [address],
            port,
            source=self.sender.source,
            ring=lambda: ring,
            publish=lambda record: None,
            messages=self.arrived,
        )
        self.courier = MessageTransport(self.sender, lambda: ring, self._send, self.heard.append, self.clock)
        self.member = Member(name, name, (address,), self.responder.port)

    def knows(self, *members: Member) -> None:
        self.courier.roster_changed(Roster("1", members))

    def arrived(self, datagram: Datagram, address: str, port: int) -> None:
        self.courier.arrived(datagram, address, port)

    def _send(self, frame: bytes, address: str, port: int) -> bool:
        self.frames.append(frame)
        return self.responder.send(frame, address, port)

    def said(self) -> list[tuple[str, int, object]]:
        return [(one.source, one.epoch, one.message) for one in self.heard]


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


@both
def test_the_first_message_arrives_although_neither_knows_the_others_epoch(address: str) -> None:
    async def play() -> None:
        a, b = End("a", 111, address), End("b", 222, address)
        with ends(a, b):
            a.courier.send(Send("b", Ping(7)))
            await settled()
            assert b.said() == [("a", 111, Ping(7))]
            b.courier.send(Send("a", Ack(7)))
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
                a.courier.send(Send("b", Ping(1)))
                await settled()
                assert b.said() == [("a", 1, Ping(1))]
            again = End("b", 3, "127.0.0.1", port=b.member.port)
            with ends(again):
                again.knows(a.member)
                a.courier.send(Send("b", Ping(2)))
                await settled()
                assert again.said() == [("a", 1, Ping(2))]

    run(play())


def test_what_was_recorded_is_of_no_use_after_a_restart_nor_elsewhere() -> None:
    async def play() -> None:
        a, b, c = (End(name, 5, "127.0.0.1") for name in "abc")
        with ends(a, b, c):
            a.courier.send(Send("b", Ping(1)))
            await settled()
            recorded = a.frames[-1]
            a.responder.send(recorded, "127.0.0.1", b.member.port)  # again to the same
            a.responder.send(recorded, "127.0.0.1", c.member.port)  # to another
            await settled()
            assert (len(b.heard), len(c.heard)) == (1, 0)
        restarted = End("b", 6, "127.0.0.1")
        with ends(restarted, a := End("a", 5, "127.0.0.1")):
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
                end.courier.send(Send("b", Ping(1)))
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
            a.courier.send(Send("b", Ping(1)))
            a.knows(b.member)
            a.clock.ahead = RETRANSMIT_INTERVAL + 0.1
            b.courier.send(Send("a", Ping(2)))
            await settled()
            assert a.said() == [("b", 2, Ping(2))]
            assert b.heard == []

    run(play())


def test_noise_with_a_good_signature_is_counted_and_not_heard() -> None:
    async def play() -> None:
        a, b = End("a", 1, "127.0.0.1"), End("b", 2, "127.0.0.1")
        with ends(a, b):
            for payload in (b"\xc1", b"\x92\x7f\x01", bytes(900)):
                a.responder.send(a.sender.message(KEY, b.sender.source, 2, payload), "127.0.0.1", b.member.port)
            await settled()
            assert b.heard == []
            assert (b.courier.counters["malformed"], b.courier.counters["unknown"]) == (2, 1)

    run(play())
