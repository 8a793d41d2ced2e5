"""What a silent agent's host says, by real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from kubesonar.core.membership.messages import Reachability
from kubesonar.core.wire.codec import Sender
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.core.wire.keyring import Keyring
from kubesonar.messaging.host_probe import probe_host
from kubesonar.model import Member, Network
from kubesonar.net.icmp.pinger import Pinger
from kubesonar.net.udp.responder import UdpResponder
from kubesonar.net.udp.train_sender import TrainSender
from tests.net.rig import run
from tests.ports import free_port

RING = Keyring({1: bytes(16)}, 1)


def seen(
    *addresses: str, port: int, timeout: float = 0.5, answering: WireIdentity | None = None, node: str = "n"
) -> Reachability:
    async def play() -> Reachability:
        pinger = Pinger()
        trains = TrainSender(Sender(WireIdentity.of(Member("asker", "x", ("127.0.0.1",), 1)), 1), lambda: RING)
        responder = (
            UdpResponder(["127.0.0.1"], port, me=lambda: answering, ring=lambda: RING, publish=lambda _: None)
            if answering is not None
            else None
        )
        try:
            return await asyncio.wait_for(probe_host(Member("m", node, addresses, port), timeout, pinger, trains), 30)
        finally:
            pinger.close()
            trains.close()
            if responder is not None:
                responder.close()

    return run(play())


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A port that the kernel accepts connections on and that nobody reads: a frozen agent."""
    listener = socket.create_server(("127.0.0.1", 0))
    yield listener
    listener.close()


def test_a_kernel_accepts_for_an_agent_that_is_frozen(listening: socket.socket) -> None:
    assert seen("127.0.0.1", port=listening.getsockname()[1]) is Reachability.KERNEL


def test_where_the_agent_is_gone_its_host_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert seen("127.0.0.1", port=port) is Reachability.REFUSED
    assert seen("127.0.0.1", "::1", port=port) is Reachability.REFUSED


def test_one_address_that_accepts_is_enough(listening: socket.socket) -> None:
    assert seen("::1", "127.0.0.1", port=listening.getsockname()[1]) is Reachability.KERNEL


def test_nothing_can_be_said_of_a_member_without_addresses() -> None:
    assert seen(port=1) is Reachability.UNABLE


def test_an_agent_that_answers_a_fresh_probe_is_there() -> None:
    port = free_port()
    me = Member("m", "n", ("127.0.0.1",), port)
    assert seen("127.0.0.1", port=port, timeout=5.0, answering=WireIdentity.of(me)) is Reachability.AGENT


@pytest.mark.parametrize(
    "other",
    [
        Member("d", "another node", ("127.0.0.1",), 0),
        Member("m", "another node, the same name", ("127.0.0.1",), 0),
        Member("d", "n", ("127.0.0.1",), 0, Network.HOST),
    ],
)
def test_another_member_at_its_address_is_a_stranger(other: Member) -> None:
    port = free_port()
    there = WireIdentity.of(other)
    if other.name == "m":
        there = WireIdentity.of(Member("m", other.node, other.addresses, port))
    assert seen("127.0.0.1", port=port, timeout=5.0, answering=there) is Reachability.STRANGER


def test_a_successor_on_the_same_node_is_the_member() -> None:
    port = free_port()
    there = WireIdentity.of(Member("its new pod", "n", ("127.0.0.1",), port))
    assert seen("127.0.0.1", port=port, timeout=5.0, answering=there) is Reachability.AGENT


def test_of_a_member_known_by_its_address_only_whoever_answers_there_is_it() -> None:
    port = free_port()
    there = WireIdentity.of(Member("d", "another node", ("127.0.0.1",), port))
    found = seen("127.0.0.1", port=port, timeout=5.0, answering=there, node="127.0.0.1")
    assert found is Reachability.AGENT


def test_one_that_does_not_know_its_node_yet_is_not_called_another() -> None:
    port = free_port()
    there = WireIdentity.of(Member("d", "d", (), port), certain=False)
    assert seen("127.0.0.1", port=port, timeout=5.0, answering=there) is Reachability.AGENT
