from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubesonar.kube.auth.loading_rules import in_cluster
from kubesonar.kube.errors import ApiError
from kubesonar.kube.streaming.forwarder import PodPort, forwarded
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import run

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as api:
        api.put("pods", shapes.pod("a", ips=("10.0.1.2",)))
        yield api


def _through(
    api: ApiServer,
    folder: Path,
    work: Callable[[Streams], Awaitable[Any]],
    secure: bool = False,
    listening: bool = True,
) -> tuple[Any, list[ApiError]]:
    """What `work` returns of a connection to a server in the pod, which says "HELLO" to "hello" and closes."""
    failed: list[ApiError] = []
    credentials = in_cluster(api.in_cluster(folder), str(folder))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    async def scenario() -> Any:
        context = api.certificates.context if secure else None
        async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
            if listening:
                api.switches.streams.listening["a", 80] = server.sockets[0].getsockname()
            path = str(folder / "a.sock")
            async with forwarded(credentials, PodPort("default", "a", 80, secure), path, failed.append):
                streams = await asyncio.open_unix_connection(path)
                try:
                    return await work(streams)
                finally:
                    streams[1].close()

    return run(scenario()), failed


async def _hello(streams: Streams) -> bytes:
    reader, writer = streams
    writer.write(b"hello\n")
    return await reader.read()


@pytest.mark.parametrize("secure", [False, True])
def test_a_client_of_the_socket_reaches_the_pod(api: ApiServer, tmp_path: Path, secure: bool) -> None:
    assert _through(api, tmp_path, _hello, secure) == (b"HELLO\n", [])


@pytest.mark.parametrize("secure", [False, True])
def test_a_pod_that_does_not_listen_is_told_and_the_client_sees_an_end(
    api: ApiServer, tmp_path: Path, secure: bool
) -> None:
    said, (error,) = _through(api, tmp_path, _hello, secure, listening=False)
    assert said == b""
    assert "failed to connect to localhost:80" in error.message


def test_tls_with_a_pod_that_speaks_none_is_an_end(api: ApiServer, tmp_path: Path) -> None:
    async def plain_server(streams: Streams) -> bytes:
        return await streams[0].read()

    async def scenario() -> bytes:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"no TLS here\n" * 10)
            writer.close()

        credentials = in_cluster(api.in_cluster(tmp_path), str(tmp_path))
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            api.switches.streams.listening["a", 80] = server.sockets[0].getsockname()
            path = str(tmp_path / "a.sock")
            async with forwarded(credentials, PodPort("default", "a", 80, True), path, lambda _: None):
                streams = await asyncio.open_unix_connection(path)
                try:
                    return await plain_server(streams)
                finally:
                    streams[1].close()

    assert run(scenario()) == b""


def test_a_client_that_leaves_leaves_nothing_behind(api: ApiServer, tmp_path: Path) -> None:
    async def leave(streams: Streams) -> None:
        streams[1].close()

    assert _through(api, tmp_path, leave)[0] is None
