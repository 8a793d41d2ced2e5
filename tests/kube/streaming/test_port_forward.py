from __future__ import annotations

import asyncio
import socketserver
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubesonar.kube.auth.loading_rules import from_kubeconfig, in_cluster
from kubesonar.kube.errors import ApiError
from kubesonar.kube.streaming.port_forward import PodConnection, open_pod_port
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import run
from tests.net.connect_proxy import ConnectProxy
from tests.net.socks_proxy import microsocks
from tests.ports import free_port

PORT = 5353


class _Echo(socketserver.BaseRequestHandler):
    """Gives back what it gets, and closes after the line "the end"."""

    def handle(self) -> None:
        """Called by socketserver."""
        while data := self.request.recv(65_536):
            self.request.sendall(data)
            if data.endswith(b"the end\n"):
                return


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as api, socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        api.put("pods", shapes.pod("a", node="node-1", ips=("10.0.1.2",)))
        api.switches.streams.listening["a", PORT] = ("127.0.0.1", server.server_address[1])
        yield api
        server.shutdown()
        thread.join()


def _forwarded(
    api: ApiServer, folder: Path, work: Callable[[PodConnection], Awaitable[Any]], pod: str = "a", port: int = PORT
) -> Any:
    credentials = in_cluster(api.in_cluster(folder), str(folder))

    async def scenario() -> Any:
        async with open_pod_port(credentials, "default", pod, port) as connection:
            return await work(connection)

    return run(scenario())


async def _exchange(connection: PodConnection, data: bytes = b"hello\n") -> bytes:
    await connection.send(data)
    received = b""
    while len(received) < len(data) and (part := await connection.receive()):
        received += part
    return received


async def _until_closed(connection: PodConnection) -> bytes:
    await connection.send(b"the end\n")
    received = b""
    while part := await connection.receive():
        received += part
    return received


def test_bytes_go_both_ways(api: ApiServer, tmp_path: Path) -> None:
    assert _forwarded(api, tmp_path, _exchange) == b"hello\n"
    (asked,) = api.asked("create", "pods/portforward")
    assert asked.query == {"ports": str(PORT)}


def test_many_bytes_go_both_ways(api: ApiServer, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096

    async def at_once(connection: PodConnection) -> bytes:
        sending = asyncio.create_task(connection.send(data))
        received = b""
        while len(received) < len(data):
            received += await connection.receive()
        await sending
        return received

    assert _forwarded(api, tmp_path, at_once) == data


def test_the_end_is_told_when_the_pod_closes(api: ApiServer, tmp_path: Path) -> None:
    assert _forwarded(api, tmp_path, _until_closed) == b"the end\n"


def test_a_port_without_a_listener_is_refused_with_the_servers_words(api: ApiServer, tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="failed to connect to localhost:54") as caught:
        _forwarded(api, tmp_path, _exchange, port=54)
    assert caught.value.reason == "refused"


def test_what_the_error_channel_says_is_the_error(api: ApiServer, tmp_path: Path) -> None:
    api.switches.streams.error = "the sandbox is gone"
    with pytest.raises(ApiError, match="the sandbox is gone"):
        _forwarded(api, tmp_path, _exchange)


@pytest.mark.parametrize("bytes_before", [1, 3, 6])
def test_a_connection_that_is_lost_is_not_the_end(api: ApiServer, tmp_path: Path, bytes_before: int) -> None:
    api.switches.streams.cut = bytes_before
    with pytest.raises(ApiError) as caught:
        _forwarded(api, tmp_path, _exchange)
    assert caught.value.reason == "reset"


def test_a_missing_right_and_a_missing_pod(api: ApiServer, tmp_path: Path) -> None:
    with pytest.raises(ApiError, match='pods "nobody" not found'):
        _forwarded(api, tmp_path, _exchange, pod="nobody")
    api.refuse("create", "pods/portforward")
    with pytest.raises(ApiError, match='cannot create resource "pods/portforward"') as caught:
        _forwarded(api, tmp_path, _exchange)
    assert caught.value.status == 403


def test_a_slow_server_meets_the_time_limit(api: ApiServer, tmp_path: Path) -> None:
    api.freeze()
    credentials = in_cluster(api.in_cluster(tmp_path), str(tmp_path))

    async def opened() -> None:
        async with open_pod_port(credentials, "default", "a", PORT, timeout=0.2):
            raise AssertionError("it cannot be open")

    with pytest.raises(ApiError) as caught:
        run(opened())
    api.thaw()
    assert caught.value.reason == "timeout"


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_a_port_that_is_none(api: ApiServer, tmp_path: Path, port: int) -> None:
    with pytest.raises(ValueError, match="a port is 1 to 65535"):
        _forwarded(api, tmp_path, _exchange, port=port)


@pytest.mark.parametrize("login", ["", "user:p%40ss@", "user@"])
def test_a_port_is_reached_through_a_proxy(api: ApiServer, tmp_path: Path, login: str) -> None:
    expected = {"": "", "user:p%40ss@": "Basic dXNlcjpwQHNz", "user@": "Basic dXNlcjo="}[login]
    with ConnectProxy(api.port, expected) as proxy:
        path = api.kubeconfig(
            tmp_path / "config",
            proxy_url=f"http://{login}{proxy.address}",
            server="https://k.invalid",
            tls_server_name="127.0.0.1",
        )

        async def scenario() -> bytes:
            async with open_pod_port(from_kubeconfig(path), "default", "a", PORT) as connection:
                return await _exchange(connection)

        assert run(scenario()) == b"hello\n"
        assert proxy.asked == ["CONNECT k.invalid:443 HTTP/1.1"]


@pytest.mark.parametrize("login", [(), ("user", "p@ss")], ids=["open", "login"])
def test_a_port_is_reached_through_a_socks_proxy(api: ApiServer, tmp_path: Path, login: tuple[str, ...]) -> None:
    with microsocks(*login) as proxy:
        path = api.kubeconfig(tmp_path / "config", proxy_url=f"socks5://user:p%40ss@{proxy}")

        async def scenario() -> bytes:
            async with open_pod_port(from_kubeconfig(path), "default", "a", PORT) as connection:
                return await _exchange(connection)

        assert run(scenario()) == b"hello\n"


async def _opened(path: str) -> None:
    async with open_pod_port(from_kubeconfig(path), "default", "a", PORT):
        pass


def test_a_proxy_that_is_not_there_is_named(api: ApiServer, tmp_path: Path) -> None:
    path = api.kubeconfig(tmp_path / "config", proxy_url=f"socks5://127.0.0.1:{free_port()}")
    with pytest.raises(ApiError, match="refused"):
        run(_opened(path))


def test_a_proxy_that_refuses_is_named(api: ApiServer, tmp_path: Path) -> None:
    with ConnectProxy(api.port, "Basic other") as proxy:
        path = api.kubeconfig(tmp_path / "config", proxy_url=f"http://{proxy.address}")
        with pytest.raises(ApiError, match="the proxy refuses with status 407"):
            run(_opened(path))
