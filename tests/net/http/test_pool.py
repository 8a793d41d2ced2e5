from __future__ import annotations

import ssl

import msgspec

from kubesonar.net.deadline import Deadline
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import HttpRequest
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.pool import ConnectionPool
from kubesonar.net.http.url import parse_url
from tests.net.rig import run
from tests.net.servers import OK, Twin

GET = HttpRequest.make("GET", parse_url("http://example/"))
A, B, C = (Origin(name, 80) for name in "abc")


class Hand:
    """A clock set by hand."""

    now = 0.0

    def wall(self) -> float:
        return self.now

    def mono(self) -> float:
        return self.now


async def used(origin: Origin, twin: Twin | None = None, keep: bool = True) -> HttpConnection:
    """A connection over which one request went."""
    twin = twin or Twin(OK)
    connection = HttpConnection(msgspec.structs.replace(origin, wire=lambda patience: twin), keep=keep)
    with Deadline(5) as deadline:
        assert (await connection.request(GET, deadline)).status == 200
    return connection


def test_a_connection_is_taken_once_and_only_for_its_origin() -> None:
    async def scenario() -> None:
        pool, connection = ConnectionPool(10), await used(A)
        pool.give(A, connection)
        assert pool.take(B) is None
        assert pool.take(Origin("a", 80)) is connection
        assert pool.take(A) is None

    run(scenario())


def test_a_connection_verified_under_another_context_serves_nobody() -> None:
    async def scenario() -> None:
        pool = ConnectionPool(10)
        one, other = (Origin("a", 443, "a", True, ssl.create_default_context()) for _ in range(2))
        pool.give(one, await used(A))
        assert pool.take(other) is None
        assert pool.take(one) is not None

    run(scenario())


def test_so_many_for_an_origin_and_so_many_origins_are_kept() -> None:
    async def scenario() -> None:
        pool, twins = ConnectionPool(2, each=2), [Twin(OK) for _ in range(5)]
        for origin, twin in zip((A, A, A, B, C), twins, strict=True):
            pool.give(origin, await used(origin, twin))
        assert ["close" in twin.log for twin in twins] == [True, True, True, False, False]
        assert pool.take(A) is None
        assert pool.take(B) is not None
        pool.close()
        assert "close" in twins[4].log

    run(scenario())


def test_one_that_was_idle_too_long_is_closed() -> None:
    async def scenario() -> None:
        clock, twin = Hand(), Twin(OK)
        pool = ConnectionPool(1, each=2, idle=30.0, clock=clock)
        pool.give(A, await used(A, twin))
        clock.now = 20.0
        fresh = await used(A)
        pool.give(A, fresh)
        clock.now = 40.0
        assert pool.take(A) is fresh
        assert pool.take(A) is None
        assert twin.log[-1] == "close"

    run(scenario())


def test_what_is_not_idle_or_not_wanted_is_closed() -> None:
    async def scenario() -> None:
        pool, twin = ConnectionPool(0), Twin(OK)
        pool.give(A, await used(A, twin))
        assert (pool.take(A), twin.log[-1]) == (None, "close")
        pool = ConnectionPool(10)
        pool.give(A, await used(A, keep=False))
        assert pool.take(A) is None

    run(scenario())
