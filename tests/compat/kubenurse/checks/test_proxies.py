"""CheckPlan through a proxy. It plays every server itself: names under .invalid lead nowhere."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kubesonar.compat.kubenurse.checks.proxies import Proxies
from kubesonar.compat.kubenurse.checks.trust import TrustContexts
from kubesonar.compat.kubenurse.go.httptrace import failure, timeline
from kubesonar.net.http.url import parse_url
from tests.compat.kubenurse.checks.test_client import PLAIN, SECURE, asking
from tests.compat.kubenurse.rig import run
from tests.net.certificates import Authority
from tests.net.servers import OK, asked, saying, serving


def through(no_proxy: str, url: str, **more: str) -> bool:
    environ = {"HTTP_PROXY": "http://proxy.invalid:3128", "HTTPS_PROXY": "proxy.invalid:3129", "NO_PROXY": no_proxy}
    return Proxies(environ | more).of(parse_url(url)) is not None


@pytest.mark.parametrize(
    ("no_proxy", "url", "expected"),
    [
        ("", "http://a.example/", True),
        ("", "https://a.example/", True),
        ("", "http://localhost:8080/", False),
        ("", "http://127.0.0.9/", False),
        ("", "http://[::1]/", False),
        ("*", "http://a.example/", False),
        ("a.example", "http://a.example/", False),
        ("a.example", "http://b.a.example/", False),
        ("a.example", "http://ba.example/", True),
        (".a.example", "http://a.example/", True),
        (".a.example", "http://b.a.example/", False),
        ("*.a.example", "http://b.a.example/", False),
        ("A.example, .svc,.cluster.local", "http://x.ns.svc.cluster.local:8080/", False),
        ("a.example:81", "http://a.example/", True),
        ("a.example:81", "http://a.example:81/", False),
        ("10.0.0.0/8", "http://10.1.2.3:8080/", False),
        ("10.0.0.0/8", "http://11.1.2.3:8080/", True),
        ("10.0.0.0/8", "http://a.example/", True),
        ("10.0.0.0/x", "http://10.1.2.3/", True),
        ("fd00::/8", "http://[fd12::1]/", False),
        ("10.1.2.3", "http://10.1.2.3/", False),
        ("10.1.2.3:80", "http://10.1.2.3:81/", True),
    ],
)
def test_kn42_exceptions_are_read_as_go_reads_them(no_proxy: str, url: str, expected: bool) -> None:
    assert through(no_proxy, url) is expected


def test_kn42_without_proxies_everything_goes_straight() -> None:
    assert Proxies({}).of(parse_url("http://a.example/")) is None


@pytest.mark.parametrize("text", ["socks5://proxy:1080", "https://proxy:443", "http://"])
def test_kn42_a_proxy_that_cannot_be_used_is_told(text: str) -> None:
    proxies = Proxies({"https_proxy": text})
    assert "HTTPS_PROXY is not used" in proxies.trouble
    assert proxies.of(parse_url("https://a.example/")) is None


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
