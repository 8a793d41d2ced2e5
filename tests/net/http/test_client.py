from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from kubesonar.model import Fault, Phase
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.client import Fetched, Fetcher, HttpClient
from kubesonar.net.http.exchange import HttpRequest, Response
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.pool import ConnectionPool
from kubesonar.net.http.response_reader import HEAD_ONLY, ResponseLimits
from kubesonar.net.http.url import parse_url
from kubesonar.net.tcp.dialer import ADDRESSES, DialOptions
from kubesonar.net.tcp.stream import Wire
from tests.net.book import Book
from tests.net.rig import run
from tests.net.servers import OK, Script, Twin, asked, saying, serving, silent

GET = HttpRequest.make("GET", parse_url("http://example/"))


class Refusing(Twin):
    """A wire that no address accepts but those given; notes how long each had."""

    def __init__(self, *well: str, entry: bytes = OK) -> None:
        super().__init__(entry)
        self.patience: list[float] = []
        self._well = well

    async def connect(self, address: str, port: int, deadline: Deadline) -> None:
        await super().connect(address, port, deadline)
        if address not in self._well:
            raise Failed(Fault.REFUSED, f"{address} refuses")

    def made(self, patience: float) -> Wire:
        self.patience.append(patience)
        return self

    @property
    def asked(self) -> list[str]:
        return [words.split()[1] for words in self.log if words.startswith("connect")]


def ask(
    twin: Refusing,
    *addresses: str,
    choose: Callable[[list[str]], list[str]] = list,
    patience: float = 100.0,
    within: float = 100.0,
) -> Response:
    async def scenario() -> Response:
        dial = DialOptions(patience=patience, within=within)
        client = HttpClient(resolver=Book(*addresses), choose=choose, dial=dial)
        with Deadline(8) as deadline:
            return await client.request(Origin("name", 80, wire=twin.made), GET, deadline, ResponseLimits())

    return run(scenario())


def test_addresses_are_tried_until_one_accepts() -> None:
    twin = Refusing("192.0.2.3")
    response = ask(twin, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")
    assert (response.status, response.address) == (200, "192.0.2.3")
    assert twin.asked == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert [span.phase for span in response.phases][:2] == [Phase.DNS, Phase.CONNECT]


def test_not_all_of_many_are_tried() -> None:
    twin = Refusing()
    response = ask(twin, *(f"192.0.2.{number}" for number in range(1, 9)))
    assert response.fault is Fault.REFUSED
    assert response.address == f"192.0.2.{ADDRESSES}"
    assert len(twin.asked) == ADDRESSES


def test_an_address_that_accepted_has_spoken_for_all() -> None:
    twin = Refusing("192.0.2.1", entry=b"nonsense\r\n\r\n")
    assert ask(twin, "192.0.2.1", "192.0.2.2").fault is Fault.WRONG_ANSWER
    assert twin.asked == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("patience", "within", "shares"), [(100.0, 100.0, [4, 8]), (100.0, 6.0, [3, 6]), (1.0, 100.0, [1, 1])]
)
def test_each_address_has_its_share_of_the_time(patience: float, within: float, shares: list[int]) -> None:
    twin = Refusing()
    ask(twin, "192.0.2.1", "192.0.2.2", patience=patience, within=within)
    assert twin.patience == pytest.approx(shares, abs=0.5)


def test_addresses_may_be_chosen_and_refused() -> None:
    twin = Refusing("192.0.2.2")
    assert ask(twin, "192.0.2.1", "192.0.2.2", choose=lambda found: found[1:]).status == 200
    assert twin.asked == ["192.0.2.2"]

    def none(found: list[str]) -> list[str]:
        raise Failed(Fault.LOCAL, "not there")

    with pytest.raises(Failed, match="not there"):
        ask(twin, "192.0.2.1", choose=none)


def test_a_kept_connection_is_used_before_any_address_is_looked_up() -> None:
    async def scenario() -> None:
        async with serving(saying(OK, stay=True)) as port:
            client, origin = HttpClient(pool=ConnectionPool(1), resolver=Book("127.0.0.1")), Origin("name", port)
            with Deadline(5) as deadline:
                first = await client.request(origin, GET, deadline, ResponseLimits())
                connection, second = await client.open(origin, GET, deadline)
                async with aclosing(connection.chunks(5)) as chunks:
                    assert [data async for data in chunks] == [b"ok"]
                client.release(origin, connection)
                third = await client.request(origin, GET, deadline, HEAD_ONLY)
            client.close()
        assert [one.reused for one in (first, second, third)] == [False, True, True]
        assert len({one.source_port for one in (first, second, third)}) == 1
        assert second.phases[0].phase is Phase.WRITE

    run(scenario())


def test_without_the_body_the_head_is_enough() -> None:
    async def scenario() -> Response:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
        async with serving(saying(answer, stay=True)) as port:
            with Deadline(5) as deadline:
                return await HttpClient().request(Origin("127.0.0.1", port), GET, deadline, HEAD_ONLY)

    response = run(scenario())
    assert (response.status, response.body, response.complete, response.fault) == (200, b"", False, None)


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
