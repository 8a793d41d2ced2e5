"""URLs with every phase."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kubesonar.compat.netchecker.agent.probe import UrlProber
from kubesonar.compat.netchecker.spec import ProbeResult
from kubesonar.net.http.client import HttpClient
from tests.kube.running import run
from tests.net.certificates import Authority
from tests.net.servers import Script, saying, serving, silent
from tests.ports import free_port

SLOW = 0.12


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Thinks, answers half, and the other half later."""
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(SLOW)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok")
    await writer.drain()
    await asyncio.sleep(SLOW)
    writer.write(b"ok")


async def probe(url: str, timeout: float = 5.0) -> ProbeResult:
    client = HttpClient()
    try:
        return await UrlProber(client, timeout).probe(url)
    finally:
        client.close()


def probed(script: Script, path: str = "/", timeout: float = 5.0, host: str = "127.0.0.1") -> ProbeResult:
    async def scenario() -> ProbeResult:
        async with serving(script) as port:
            return await probe(f"http://{host}:{port}{path}", timeout)

    return run(scenario())


def test_nc17_each_phase_has_its_time_and_the_total_is_their_sum() -> None:
    result = probed(slow, host="localhost")
    assert (result.connection_result, result.http_code) == (1, 200)
    assert SLOW * 1000 <= result.server_processing <= result.total
    assert SLOW * 900 <= result.content_transfer <= result.total - result.server_processing + 1
    assert result.tcp_connection + result.dns_lookup <= result.connect + 2
    assert result.total >= 2 * SLOW * 1000


def test_nc39_a_connection_whose_server_says_nothing_counts_and_one_that_is_refused_does_not() -> None:
    hung = probed(silent, timeout=0.3)
    assert (hung.connection_result, hung.http_code) == (1, 0)
    assert hung.total >= 300
    refused = run(probe(f"http://127.0.0.1:{free_port()}/"))
    assert (refused.connection_result, refused.http_code, refused.connect) == (0, 0, 0)
    unknown = run(probe("http://nowhere.invalid/"))
    assert (unknown.connection_result, unknown.url) == (0, "http://nowhere.invalid/")


def test_nc39_by_https_a_connection_is_one_once_it_is_encrypted(tmp_path: Path) -> None:
    async def scenario() -> ProbeResult:
        async with serving(saying(b""), context=Authority(tmp_path).server("127.0.0.1")) as port:
            return await probe(f"https://127.0.0.1:{port}/")

    assert run(scenario()).connection_result == 0


@pytest.mark.parametrize(("length", "status"), [(3, 200), (11, 0)])
def test_nc34_redirects_are_followed_ten_at_most(length: int, status: int) -> None:
    async def turn(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readuntil(b"\r\n\r\n")
        left = int(line.split(b"/", 2)[1].split()[0])
        answer = b"HTTP/1.1 302 Found\r\nLocation: /%d\r\nContent-Length: 0\r\n\r\n" % (left - 1)
        writer.write(answer if left else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    assert probed(turn, f"/{length}").http_code == status


def test_nc34_proxies_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert probed(saying(b"HTTP/1.1 204 No Content\r\n\r\n")).http_code == 204


@pytest.mark.parametrize(
    "url", ["", "nonsense", "ftp://x/", "http://user:word@127.0.0.1/", "http://x y/", "http://[::1/"]
)
def test_what_is_no_url_is_a_result_of_0(url: str) -> None:
    assert run(probe(url)) == ProbeResult(url=url)
