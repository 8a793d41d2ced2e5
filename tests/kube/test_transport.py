from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesonar.kube.auth.loading_rules import in_cluster
from kubesonar.kube.errors import ApiError
from kubesonar.kube.transport import API_IDLE, ApiRequest, ApiTransport
from kubesonar.net.clock import SystemClock
from kubesonar.net.deadline import Deadline
from kubesonar.net.dns.system_resolver import Resolver
from tests.clocks import TurnedClock
from tests.kube.apiserver import ApiServer
from tests.kube.running import run

VERSION = ApiRequest("GET", "/version")


class Book(Resolver):
    """Knows one name; `asked` counts."""

    def __init__(self, *addresses: str) -> None:
        super().__init__()
        self._addresses = list(addresses)

    async def resolve(self, host: str, deadline: Deadline, family: int = 0) -> list[str]:
        """Always the same."""
        return self._addresses


def _statuses(
    api: ApiServer, folder: Path, *addresses: str, act: Callable[[int], object] = lambda turn: None
) -> list[int]:
    """How three requests fare with a server whose name has these addresses (0: no answer)."""

    async def scenario() -> list[int]:
        environ = api.in_cluster(folder) | {"KUBERNETES_SERVICE_HOST": "localhost"}
        transport = ApiTransport(in_cluster(environ, str(folder)), SystemClock(), Book(*addresses))
        found = []
        for turn in range(3):
            act(turn)
            try:
                await transport.ask(VERSION, 5, 1000)
                found.append(200)
            except ApiError as error:
                found.append(error.status)
        async with transport.stream(VERSION, 5) as connection:
            assert b"v1.36.0" in b"".join([data async for data in connection.chunks(5)])
        transport.close()
        return found

    return run(scenario())


@pytest.mark.parametrize(
    "addresses", [("::1", "127.0.0.1"), ("127.0.0.1", "::1"), ("127.0.0.2", "127.0.0.3", "127.0.0.1")]
)
def test_an_address_where_nobody_listens_is_passed_over(tmp_path: Path, addresses: tuple[str, ...]) -> None:
    with ApiServer() as api:
        assert _statuses(api, tmp_path, *addresses) == [200, 200, 200]


def test_an_answer_is_an_answer_whatever_it_says(tmp_path: Path) -> None:
    with ApiServer() as api:
        assert _statuses(
            api, tmp_path, "127.0.0.1", "127.0.0.2", act=lambda turn: api.fail(500) if turn == 1 else None
        ) == [200, 500, 200]
        assert len(api.log) == 4


def test_an_idle_connection_that_the_server_closed_is_replaced(tmp_path: Path) -> None:
    def act(turn: int) -> None:
        if turn:
            api.stop()
            api.start()

    with ApiServer() as api:
        assert _statuses(api, tmp_path, "127.0.0.1", act=act) == [200, 200, 200]


def test_a_connection_that_rested_too_long_is_not_trusted_with_another_request(tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        clock = TurnedClock()
        transport = ApiTransport(in_cluster(api.in_cluster(tmp_path), str(tmp_path)), clock)
        handshakes = []
        for leap in (0.0, API_IDLE - 5, API_IDLE + 5):
            clock.ahead += leap
            await transport.ask(VERSION, 5, 1000)
            handshakes.append(api.handshakes)
        transport.close()
        return handshakes

    with ApiServer() as api:
        assert run(scenario()) == [1, 1, 2]
