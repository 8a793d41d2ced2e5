"""Source ports take turns and are replaced one by one, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kubesonar.net.epoll import Epoll
from kubesonar.net.kernel import cmsg
from kubesonar.net.udp.port_pool import PortPool, PortSocket
from tests.net.rig import open_files, run


@contextmanager
def pool(family: int = 4, size: int = 3, *, read: bool = True) -> Iterator[PortPool]:
    """A pool whose sockets are read, where `read`, and what came is forgotten."""

    def ready(port: PortSocket, events: int) -> bool:
        if read:
            while True:
                try:
                    port.socket.recv(2048)
                except OSError:
                    break
        return True

    made = PortPool(family, size, Epoll.of(asyncio.get_running_loop()), ready)
    try:
        yield made
    finally:
        made.close()


def test_ports_take_turns() -> None:
    async def scenario() -> tuple[list[int], list[int]]:
        with pool() as three:
            ports = [port.port for port in three]
            return ports, [port.port for count in (2, 2, 4) for port in three.take(count)]

    (a, b, c), taken = run(scenario())
    assert len({a, b, c}) == 3
    assert taken == [a, b, c, a, b, c, a, b]


def test_the_oldest_is_replaced_and_stays_open_until_the_next_time() -> None:
    async def scenario() -> None:
        before = open_files()
        with pool(size=2) as two:
            first, second = two
            files = open_files()
            two.rotate()
            assert open_files() == files + 1
            assert first.socket.fileno() >= 0
            assert first.port in [port.port for port in two]
            assert first.port not in [port.port for port in two.take(2)]
            two.rotate()
            assert open_files() == files + 1
            assert (first.socket.fileno(), second.socket.fileno() >= 0) == (-1, True)
            two.rotate()
            assert second.socket.fileno() == -1
        assert open_files() <= before + 2, "the loop's epolls stay"

    run(scenario())


def test_what_the_kernel_dropped_is_counted_also_of_ports_replaced_since() -> None:
    async def scenario() -> tuple[int, int, int]:
        with (
            pool(size=1, read=False) as one,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
        ):
            before = one.dropped
            (port,) = one.take(1)
            for _ in range(5000):
                stranger.sendto(b"x", ("127.0.0.1", port.port))
            during = one.dropped
            one.rotate()
            one.rotate()
            return before, during, one.dropped

    before, during, after = run(scenario())
    assert before == 0 < during == after


@pytest.mark.parametrize(
    ("family", "level", "option"),
    [
        (4, socket.IPPROTO_IP, cmsg.IP_MTU_DISCOVER),
        (6, socket.IPPROTO_IPV6, cmsg.IPV6_MTU_DISCOVER),
    ],
)
def test_datagrams_are_never_fragmented(family: int, level: int, option: int) -> None:
    async def scenario() -> int:
        with pool(family, 1) as one:
            return one.take(1)[0].socket.getsockopt(level, option)

    assert run(scenario()) == cmsg.PMTUDISC_PROBE
