from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubesonar.model import Check, Fault, Kind, Member, Network, Observation, Phase, Roster
from kubesonar.model import Path as Way
from kubesonar.net.http.proxy.environment import Proxies
from kubesonar.probes.http.http import HttpOptions, HttpProbe
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.target_identities import TargetIdentities
from tests.net.book import Book
from tests.net.certificates import Authority
from tests.net.rig import run
from tests.net.servers import OK, Script, asked, endless, saying, serving, silent
from tests.ports import free_port

SOURCE = ProbeSource("node-1", Network.POD)


def _check(port: int, **fields: Any) -> Check:
    base: dict[str, Any] = {"request": "http://service.test/x", "timeout": 5.0, "address": "127.0.0.1", "port": port}
    return Check("http", Kind.HTTP, Way.SERVICE, "t", **base | fields)


def _look(script: Script, times: int = 1, options: HttpOptions | None = None, **fields: Any) -> list[Observation]:
    async def scenario() -> list[Observation]:
        context = fields.pop("context", None)
        async with serving(script, context=context) as port:
            probe = HttpProbe(SOURCE, options or HttpOptions())
            seen = [await probe(_check(port, **fields)) for _ in range(times)]
            probe.close()
            return seen

    return run(scenario())


def test_a_good_answer_phase_by_phase() -> None:
    (seen,) = _look(saying(OK))
    assert (seen.fault, seen.code, seen.received) == (None, 200, 1)
    assert [span.phase for span in seen.phases] == [Phase.CONNECT, Phase.WRITE, Phase.FIRST_BYTE, Phase.BODY]
    assert seen.kernel is not None
    assert seen.rtt is not None


def test_the_url_is_asked_of_the_address() -> None:
    heard: list[bytes] = []

    async def listen(reader: Any, writer: Any) -> None:
        heard.append(await asked(reader))
        writer.write(OK)

    _look(listen)
    assert heard[0].startswith(b"GET /x HTTP/1.1\r\nHost: service.test\r\n")


@pytest.mark.parametrize("path", [Way.POD, Way.SERVICE])
@pytest.mark.parametrize("keep_alive", [False, True])
def test_only_a_member_is_asked_to_close_the_connection_unless_it_is_kept(path: Way, keep_alive: bool) -> None:
    heard: list[bytes] = []
    targets = TargetIdentities()
    targets.roster_changed(Roster("1", (Member("t", "node-2", ("127.0.0.1",), 7473),)))

    async def listen(reader: Any, writer: Any) -> None:
        heard.append(await asked(reader))
        writer.write(OK)

    async def scenario() -> Observation:
        async with serving(listen) as port:
            probe = HttpProbe(SOURCE, HttpOptions(keep_alive=keep_alive), targets=targets)
            seen = await probe(msgspec.structs.replace(_check(port), path=path))
            probe.close()
            return seen

    assert run(scenario()).fault is None
    assert (b"\r\nConnection: close\r\n" in heard[0]) is (path is Way.POD and not keep_alive)


def test_without_an_address_the_urls_host_is_asked() -> None:
    (seen,) = _look(saying(OK), address="", request="http://127.0.0.1/x")
    assert (seen.fault, seen.address) == (None, "127.0.0.1")


def _by_name(family: int, keep_alive: bool = False, times: int = 1) -> list[Observation]:
    """A server that listens at 127.0.0.1 alone, by a name that has ::1 too."""

    async def scenario() -> list[Observation]:
        async with serving(saying(OK, stay=keep_alive)) as port:
            check = _check(port, address="", request="http://dual.test/", family=family)
            options = HttpOptions(keep_alive=keep_alive)
            probe = HttpProbe(SOURCE, options, resolver=Book("::1", "127.0.0.1"))
            seen = [await probe(check) for _ in range(times)]
            probe.close()
            return seen

    return run(scenario())


def test_a_dead_family_beside_a_good_one_is_told_and_is_no_fault() -> None:
    (seen,) = _by_name(0)
    assert (seen.fault, seen.address, seen.family) == (None, "127.0.0.1", 4)
    assert seen.detail.startswith("IPv6, ::1: ")
    (four,) = _by_name(4)
    assert (four.fault, four.family, four.detail) == (None, 4, "")
    (six,) = _by_name(6)
    assert six.fault is not None
    assert (six.address, six.family) == ("::1", 6)


@pytest.mark.parametrize(("way", "through"), [(Way.EXTERNAL, True), (Way.INGRESS, False)])
def test_external_urls_alone_go_through_a_proxy(way: Way, through: bool) -> None:
    heads: list[bytes] = []
    url = f"http://shop.invalid:{free_port()}/x"

    async def proxy(reader: Any, writer: Any) -> None:
        heads.append(await asked(reader))
        writer.write(OK)

    async def scenario() -> Observation:
        async with serving(proxy) as port:
            proxies = Proxies({"HTTP_PROXY": f"127.0.0.1:{port}"})
            check = _check(0, address="", request=url)
            probe = HttpProbe(SOURCE, HttpOptions(), resolver=Book("127.0.0.1"), proxies=proxies)
            seen = await probe(msgspec.structs.replace(check, path=way))
            probe.close()
            return seen

    seen = run(scenario())
    assert seen.fault is (None if through else Fault.REFUSED)
    assert [head.split(b"\r\n")[0] for head in heads] == [f"GET {url} HTTP/1.1".encode()] * through


def test_a_kept_connection_is_found_by_the_address_that_accepted() -> None:
    first, second = _by_name(0, keep_alive=True, times=2)
    assert (first.fault, second.fault) == (None, None)
    assert first.source_port == second.source_port
    assert (second.address, second.detail) == ("127.0.0.1", "")


@pytest.mark.parametrize(
    ("status", "expect", "fault"),
    [
        (200, "", None),
        (204, "", Fault.WRONG_ANSWER),
        (204, "200-299", None),
        (302, "200-299", Fault.WRONG_ANSWER),
        (404, "404", None),
        (503, "", Fault.WRONG_ANSWER),
    ],
)
def test_the_status_is_judged(status: int, expect: str, fault: Fault | None) -> None:
    answer = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nLocation: http://elsewhere/\r\n\r\n" % status
    (seen,) = _look(saying(answer), expect=expect)
    assert (seen.fault, seen.code, seen.received) == (fault, status, 1)
    assert (str(status) in seen.detail) == (fault is not None)


def test_over_tls_with_the_urls_host_as_name(tmp_path: Any) -> None:
    authority = Authority(tmp_path)
    fields: dict[str, Any] = {"context": authority.server("service.test"), "trust": str(authority.file)}
    (seen,) = _look(saying(OK), request="https://service.test/", **fields)
    assert (seen.fault, seen.code) == (None, 200)
    assert [span.phase for span in seen.phases][:2] == [Phase.CONNECT, Phase.TLS]
    (dotted,) = _look(saying(OK), request="https://service.test./", **fields)
    assert (dotted.fault, dotted.code) == (None, 200)
    (other,) = _look(saying(OK), request="https://other.test/", **fields)
    assert (other.fault, other.code) == (Fault.TLS, None)
    assert "for another name" in other.detail


def test_kept_connections_over_tls_and_plain(tmp_path: Any) -> None:
    authority = Authority(tmp_path)
    options = HttpOptions(keep_alive=True)
    secure: dict[str, Any] = {"context": authority.server("service.test"), "trust": str(authority.file)}
    kinds: list[dict[str, Any]] = [{}, {"request": "https://service.test/", **secure}]
    for fields in kinds:
        first, second = _look(saying(OK, stay=True), 2, options, **fields)
        assert (first.fault, second.fault) == (None, None)
        assert first.source_port == second.source_port
        assert [span.phase for span in second.phases] == [Phase.WRITE, Phase.FIRST_BYTE, Phase.BODY]
        assert second.rtt is not None


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        (silent, Fault.TIMEOUT),
        (saying(b""), Fault.RESET),
        (saying(b"\0" * 100), Fault.WRONG_ANSWER),
        (endless(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 1000), Fault.WRONG_ANSWER),
        (endless(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"", 1), Fault.TIMEOUT),
    ],
)
def test_a_hostile_server_is_data(script: Script, fault: Fault) -> None:
    (seen,) = _look(script, timeout=0.3)
    assert seen.fault is fault
    assert seen.detail


def test_a_gigabyte_is_not_read() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"
    (seen,) = _look(endless(answer, bytes(65_536)))
    assert (seen.fault, seen.code) == (None, 200)


@pytest.mark.parametrize("fields", [{"request": "gopher://x/"}, {"expect": "good"}, {"request": "http://a/\r\nX: y"}])
def test_what_cannot_be_asked_says_why(fields: dict[str, Any]) -> None:
    (seen,) = _look(silent, **fields)
    assert (seen.fault, seen.sent) == (Fault.OTHER, 0)
    assert "not" in seen.detail
