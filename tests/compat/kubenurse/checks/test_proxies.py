"""CheckPlan through a proxy. It plays every server itself: names under .invalid lead nowhere."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kubesonar.compat.kubenurse.checks.trust import TrustContexts
from kubesonar.compat.kubenurse.go.httptrace import failure, timeline
from tests.compat.kubenurse.checks.test_client import PLAIN, SECURE, asking
from tests.compat.kubenurse.rig import run
from tests.net.certificates import Authority
from tests.net.servers import OK, asked, saying, serving


def test_kn42_plain_requests_are_handed_to_the_proxy_whole() -> None:
    heads: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await asked(reader))
        writer.write(OK)

    async def scenario() -> None:
        async with serving(proxy) as port:
            environ = {"HTTP_PROXY": f"http://user:p%40ss@127.0.0.1:{port}"}
            answer, (seen,) = await asking("http://shop.invalid:81/x?y=1", environ=environ)
        assert answer.text == "ok"
        assert [event for event, _ in timeline(seen)] == PLAIN
        assert heads[0].startswith(b"GET http://shop.invalid:81/x?y=1 HTTP/1.1\r\nHost: shop.invalid:81\r\n")
        assert b"Proxy-Authorization: Basic dXNlcjpwQHNz\r\n" in heads[0]

    run(scenario())


def test_kn42_tls_goes_through_a_tunnel(tmp_path: Path) -> None:
    authority, heads = Authority(tmp_path), list[bytes]()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            secure = authority.server("shop.invalid")
            end = await stack.enter_async_context(serving(saying(OK), context=secure))

            async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                heads.append(await asked(reader))
                back, forth = await asyncio.open_connection("127.0.0.1", end)
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                ways = [asyncio.create_task(pipe(reader, forth)), asyncio.create_task(pipe(back, writer))]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
                    forth.close()

            port = await stack.enter_async_context(serving(proxy))
            context = TrustContexts((str(authority.file),), insecure=False).context()
            environ = {"https_proxy": f"127.0.0.1:{port}"}
            answer, (seen,) = await asking("https://shop.invalid/", environ=environ, context=context)
        assert answer.text == "ok"
        assert [event for event, _ in timeline(seen)] == SECURE
        assert heads == [b"CONNECT shop.invalid:443 HTTP/1.1\r\nHost: shop.invalid:443\r\n\r\n"]

    run(scenario())


@pytest.mark.parametrize("said", [b"HTTP/1.1 403 Forbidden\r\n\r\n", b"", b"x" * 20_000, b"nonsense\r\n\r\n"])
def test_kn42_a_proxy_that_refuses_is_a_failed_connect(said: bytes) -> None:
    async def scenario() -> None:
        async with serving(saying(said)) as port:
            answer, (seen,) = await asking("https://shop.invalid/", environ={"HTTPS_PROXY": f"http://127.0.0.1:{port}"})
        assert "the proxy" in answer.text or "reset" in answer.text
        assert failure(seen) == "connect_done"

    run(scenario())
