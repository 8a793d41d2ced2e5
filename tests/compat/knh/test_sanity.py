"""The sanity check: any answer will do, and without one the reason is said."""

from __future__ import annotations

import asyncio

import pytest

from kubesonar.compat.knh.sanity import SanityCheck
from kubesonar.net.http.url import parse_url
from tests.net.servers import Script, saying, serving
from tests.ports import free_port


async def failure(url: str) -> str:
    check = SanityCheck(parse_url(url))
    try:
        return await check.failure()
    finally:
        check.close()


def answered_by(script: Script) -> str:
    async def scenario() -> str:
        async with serving(script) as port:
            return await failure(f"http://127.0.0.1:{port}/x")

    return asyncio.run(scenario())


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "404 Not Found", "500 Internal Server Error"])
def test_any_status_means_that_it_was_reached(status: str) -> None:
    assert answered_by(saying(f"HTTP/1.1 {status}\r\nLocation: http://127.0.0.1:1/\r\n\r\n".encode())) == ""


def test_who_hangs_up_or_talks_nonsense_was_not_reached() -> None:
    assert "closed" in answered_by(saying(b""))
    assert answered_by(saying(b"nonsense\r\n\r\n"))


def test_who_refuses_was_not_reached() -> None:
    assert "ECONNREFUSED" in asyncio.run(failure(f"http://127.0.0.1:{free_port()}/"))


def test_a_server_without_tls_was_not_reached_by_https() -> None:
    async def scenario() -> str:
        async with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n")) as port:
            return await failure(f"https://127.0.0.1:{port}/")

    assert asyncio.run(scenario())
