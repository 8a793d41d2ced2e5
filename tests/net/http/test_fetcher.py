from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kubesonar.net.http.fetcher import Fetched, Fetcher
from tests.net.rig import run
from tests.net.servers import OK, Script, asked, saying, serving, silent


def fetch(script: Script, limit: int = 1 << 20) -> Fetched:
    async def scenario() -> Fetched:
        async with serving(script) as port:
            with Fetcher(timeout=0.3 if script is silent else 5.0, limit=limit) as fetcher:
                return await fetcher.get(f"http://localhost:{port}", "/x")

    return run(scenario())


def test_a_document_and_its_status() -> None:
    assert fetch(saying(OK)) == Fetched(200, b"ok")
    assert fetch(saying(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")) == Fetched(404)


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        (saying(b""), "closed the connection"),
        (silent, "no answer within 0.3 s"),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000)), "larger than 1 MiB"),
    ],
)
def test_why_there_is_none(script: Script, failure: str) -> None:
    fetched = fetch(script)
    assert failure in fetched.failure
    assert (fetched.status, fetched.body) == (0, b"")


def test_a_unix_socket_and_a_token(tmp_path: Path) -> None:
    heads: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await asked(reader))
        writer.write(OK)
        await writer.drain()
        writer.close()

    async def scenario() -> Fetched:
        path = str(tmp_path / "s")
        server = await asyncio.start_unix_server(script, path)
        with Fetcher(token="letmein", timeout=5.0, limit=1 << 20) as fetcher:
            fetched = await fetcher.get(f"unix:{path}", "/x")
        server.close()
        return fetched

    assert run(scenario()).body == b"ok"
    assert heads[0].startswith(b"GET /x HTTP/1.1\r\nHost: localhost\r\n")
    assert b"Bearer letmein" in heads[0]
