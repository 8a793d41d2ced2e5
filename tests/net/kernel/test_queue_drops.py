"""The kernel tells what it dropped."""

from __future__ import annotations

import socket

from kubesonar.net.kernel.queue_drops import queue_drops


def test_datagrams_beyond_the_buffer_are_counted() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taking,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as giving,
    ):
        taking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        taking.bind(("127.0.0.1", 0))
        taking.setblocking(False)
        assert queue_drops(taking) == 0
        for _ in range(500):
            giving.sendto(bytes(64), taking.getsockname())
        held = 0
        try:
            while taking.recv(100):
                held += 1
        except BlockingIOError:
            assert queue_drops(taking) == 500 - held > 0


def test_connections_that_nobody_accepts_are_counted() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listening:
        asking = []
        for _ in range(10):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
            asking.append(one)
        assert queue_drops(listening) > 0
        for one in asking:
            one.close()


def test_a_closed_socket_tells_none() -> None:
    endpoint = socket.socket()
    endpoint.close()
    assert queue_drops(endpoint) == 0
