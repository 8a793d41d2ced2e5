"""Stamps and errors find what they are about."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from kubesonar.net.kernel import cmsg
from kubesonar.net.kernel.error_queue import ErrorQueue, QueuedError, TransmitStamp


@contextmanager
def sender(limit: int = 8) -> Iterator[tuple[socket.socket, ErrorQueue[str]]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.setblocking(False)
        endpoint.setsockopt(socket.IPPROTO_IP, cmsg.IP_RECVERR, 1)
        yield endpoint, ErrorQueue(endpoint, limit)


def read_all(endpoint: socket.socket, queue: ErrorQueue[str], count: int) -> list[TransmitStamp[str] | QueuedError]:
    """The next `count` messages of the queue, for which it waits."""
    found: list[TransmitStamp[str] | QueuedError] = []
    poll = select.poll()
    poll.register(endpoint, 0)  # POLLERR is always reported
    while len(found) < count:
        assert poll.poll(5000), "the kernel gives no more"
        while (one := queue.read()) is not None:
            found.append(one)
    return found


def test_each_item_gets_its_stamp() -> None:
    with sender() as (endpoint, queue), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        for name in ("a", "b"):
            endpoint.sendto(b"x", peer.getsockname())
            queue.sent(name)
        first, second = read_all(endpoint, queue, 2)
        assert isinstance(first, TransmitStamp)
        assert isinstance(second, TransmitStamp)
        assert (first.item, second.item) == ("a", "b")
        assert 0 < first.at <= second.at
        assert queue.read() is None


def test_numbers_begin_anew_after_a_restart() -> None:
    with sender() as (endpoint, queue), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        endpoint.sendto(b"x", peer.getsockname())  # counted by the kernel, and by nobody else
        queue.restart()
        endpoint.sendto(b"x", peer.getsockname())
        queue.sent("b")
        names = [one.item for one in read_all(endpoint, queue, 1) if isinstance(one, TransmitStamp)]
        assert names[-1] == "b"


def test_an_error_quotes_its_datagram_and_names_its_destination() -> None:
    with sender() as (endpoint, queue):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            nobody = gone.getsockname()
        endpoint.sendto(b"x" * 100, nobody)
        queue.sent("a")
        (error,) = [one for one in read_all(endpoint, queue, 2) if isinstance(one, QueuedError)]
        assert (error.error.errno, error.error.local, error.error.by) == (errno.ECONNREFUSED, False, "127.0.0.1")
        assert (error.quote, error.peer) == (b"x" * 64, nobody)


def test_what_waits_for_its_stamp_is_bounded() -> None:
    with sender(limit=2) as (endpoint, queue), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        for name in ("a", "b", "c"):
            endpoint.sendto(b"x", peer.getsockname())
            queue.sent(name)
        found = read_all(endpoint, queue, 2)
        assert [one.item for one in found if isinstance(one, TransmitStamp)] == ["b", "c"]
