from __future__ import annotations

import socket

from kubesonar.net.deadline import Deadline
from kubesonar.net.epoll import Epoll
from tests.net.rig import run


def test_an_event_that_comes_while_nobody_waits_is_kept_and_shows_once() -> None:
    async def scenario() -> list[bool]:
        ours, theirs = socket.socketpair()
        with ours, theirs, Deadline(0.1) as deadline:
            epoll = Epoll.of(deadline.loop)
            assert Epoll.of(deadline.loop) is epoll
            ours.setblocking(False)
            handler = epoll.add(ours.fileno())
            writable = await handler.event(deadline)
            with Deadline(0.05) as pause:
                theirs.send(b"x")
                await pause.wait()
            seen = [writable, await handler.event(deadline), await handler.event(deadline)]
            epoll.drop(ours.fileno())
            return seen

    assert run(scenario()) == [True, True, False]
