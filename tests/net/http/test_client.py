from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

import pytest

from kubesonar.model import Fault, Phase
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.client import HttpClient
from kubesonar.net.http.exchange import HttpRequest, Response
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.pool import ConnectionPool
from kubesonar.net.http.response_reader import HEAD_ONLY, ResponseLimits
from kubesonar.net.http.url import parse_url
from kubesonar.net.tcp.dialer import ADDRESSES, DialOptions
from kubesonar.net.tcp.stream import Wire
from tests.net.book import Book
from tests.net.rig import run
from tests.net.servers import OK, Twin, saying, serving

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
