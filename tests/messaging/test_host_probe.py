"""What the host of a silent agent says, by real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from kubesonar.core.membership.messages import Reachability
from kubesonar.messaging.host_probe import probe_host
from kubesonar.model import Member
from kubesonar.net.icmp.pinger import Pinger
from tests.net.rig import run


def seen(*addresses: str, port: int, timeout: float = 0.5) -> Reachability:
    async def play() -> Reachability:
        pinger = Pinger()
        try:
            return await probe_host(Member("m", "n", addresses, port), timeout, pinger)
        finally:
            pinger.close()

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
