"""Sockets on the epolls of a loop: no event is lost, and nobody is starved."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial

from kubesonar.net.deadline import Deadline
from kubesonar.net.epoll import Epoll
from kubesonar.net.ticks import Ticks
from tests.net.rig import run


def test_an_event_while_nobody_waits_is_kept_for_the_next_wait() -> None:
    async def scenario() -> tuple[bool, bool]:
        near, far = socket.socketpair()
        with near, far, Deadline(5) as deadline:
            near.setblocking(False)
            epoll = Epoll.of(deadline.loop)
            handler = epoll.add(near.fileno())
            await handler.event(deadline)  # writable
            far.send(b"x")
            for _ in range(3):
                await asyncio.sleep(0)  # the event comes now
            kept = await handler.event(deadline)
            epoll.drop(near.fileno())
            return kept, near.recv(1) == b"x"

    assert run(scenario()) == (True, True)


def test_a_wait_ends_with_its_deadline() -> None:
    async def scenario() -> bool:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with near, far, Deadline(0.01) as deadline:
            near.setblocking(False)
            handler = Epoll.of(deadline.loop).add(near.fileno())
            await handler.event(deadline)  # writable
            return await handler.event(deadline)

    assert run(scenario()) is False


async def serve_three(
    near: socket.socket, far: socket.socket, ready: Callable[[int], bool], done: asyncio.Future[None]
) -> None:
    """Sends three datagrams to a socket that is watched until `done`."""
    near.setblocking(False)
    epoll = Epoll.of(asyncio.get_running_loop())
    epoll.watch(near.fileno(), ready)
    for data in (b"1", b"2", b"3"):
        far.send(data)
    await asyncio.wait_for(done, 5)
    epoll.drop(near.fileno())


def test_who_stops_before_the_socket_is_empty_is_called_again() -> None:
    async def scenario() -> list[bytes]:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        got: list[bytes] = []
        done = loop.create_future()

        def ready(events: int) -> bool:
            got.append(near.recv(10))
            if len(got) == 3:
                done.set_result(None)
            return len(got) == 3

        with near, far:
            await serve_three(near, far, ready, done)
        return got

    assert run(scenario()) == [b"1", b"2", b"3"]


def test_what_is_left_in_a_tick_is_served_in_the_next_ones() -> None:
    async def scenario() -> list[tuple[int, bytes]]:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        got: list[tuple[int, bytes]] = []
        done = loop.create_future()
        ticks = 0

        def count() -> None:
            nonlocal ticks
            ticks += 1

        def ready(events: int) -> bool:
            got.append((ticks, near.recv(10)))
            if len(got) == 3:
                done.set_result(None)
            return True

        with near, far:
            Ticks.of(loop).read_each(count)
            await serve_three(near, far, ready, done)
        return got

    got = run(scenario())
    assert [data for _, data in got] == [b"1", b"2", b"3"]
    assert len({tick for tick, _ in got}) == 3, "one in each tick"


def test_a_stream_that_is_ready_while_a_tick_asks_for_the_rest_keeps_its_event() -> None:
    async def scenario() -> bool:
        near, far = socket.socketpair()
        asked, asking = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with near, far, asked, asking, Deadline(5) as deadline:
            near.setblocking(False)
            epoll = Epoll.of(deadline.loop)
            handler = epoll.add(near.fileno())
            epoll.serve_in_ticks(near.fileno())
            await handler.event(deadline)  # writable
            got: list[bytes] = []

            def ready(events: int) -> bool:
                got.append(asked.recv(1))
                if len(got) == 1:
                    far.send(b"x")  # comes after the sockets of this tick were asked for
                return len(got) == 2

            epoll.watch(asked.fileno(), ready)
            asking.send(b"1")
            asking.send(b"2")
            kept = await handler.event(deadline)
            epoll.drop(near.fileno())
            epoll.drop(asked.fileno())
            return kept

    assert run(scenario()) is True


def test_a_handler_that_raises_keeps_no_other_socket_from_its_events() -> None:
    async def scenario() -> tuple[list[str], set[int]]:
        loop = asyncio.get_running_loop()
        crashes: list[str] = []
        loop.set_exception_handler(lambda _, context: crashes.append(str(context["exception"])))
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(5)]
        served: set[int] = set()
        done = loop.create_future()

        def ready(place: int, _: int) -> bool:
            served.add(place)
            if len(served) == len(pairs):
                done.set_result(None)
            if place in (0, 1, 3):
                raise KeyError(place)
            return True

        epoll = Epoll.of(loop)
        for place, (near, far) in enumerate(pairs):
            far.send(b"x")
            epoll.watch(near.fileno(), partial(ready, place))
        await asyncio.wait_for(done, 5)
        await asyncio.sleep(0)
        for near, far in pairs:
            epoll.drop(near.fileno())
            near.close()
            far.close()
        return crashes, served

    assert run(scenario()) == (["0", "1", "3"], {0, 1, 2, 3, 4})
