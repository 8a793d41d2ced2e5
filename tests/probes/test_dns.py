"""Questions to a server that behaves (unbound) and what a check may say."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import time
from collections.abc import Callable, Iterator

import msgspec
import pytest
import uvloop

from kubesonar.core.dns.message import Question, Rcode, encode_answer
from kubesonar.core.dns.records import Record, RecordType
from kubesonar.model import Fault, Observation, Phase, StampSource
from kubesonar.probes.dns import DnsOptions, parse_answer, parse_request
from tests.ports import free_port
from tests.probes.dns_servers import (
    CHECK,
    NAME,
    RECORD,
    check,
    good,
    look,
    none,
    probe,
    question,
    running_unbound,
    tcp_server,
    udp_server,
)


@pytest.fixture(scope="module")
def unbound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with running_unbound(tmp_path_factory.mktemp("unbound")) as port:
        yield port


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_unbound_is_asked_what_the_check_says(unbound: int, transport: str) -> None:
    well, v6, missing, fresh, unlike = look(
        check(unbound, f"{NAME} A {transport}"),
        check(unbound, f"{NAME} AAAA {transport}"),
        check(unbound, f"gone.cluster.local A {transport}"),
        check(unbound, f"*.cluster.local A {transport}", "NXDOMAIN"),
        check(unbound, f"{NAME} A {transport}", "NXDOMAIN"),
    )
    assert [one.code for one in (well, v6, missing, fresh, unlike)] == [0, 0, 3, 3, 0]
    assert [one.fault for one in (well, v6, fresh)] == [None] * 3
    assert (missing.fault, missing.detail) == (Fault.WRONG_ANSWER, "NXDOMAIN instead of NOERROR")
    assert (unlike.fault, unlike.detail) == (Fault.WRONG_ANSWER, "NOERROR instead of NXDOMAIN")
    assert well.received == 1
    assert well.rtt
    assert 0 < well.rtt.best < 2
    assert well.rtt.clock is (StampSource.KERNEL if transport == "udp" else StampSource.USER)


def test_a_truncated_answer_is_well_and_says_so_and_tcp_has_the_whole(unbound: int) -> None:
    by_udp, by_tcp = look(check(unbound, "big.cluster.local TXT"), check(unbound, "big.cluster.local TXT tcp"))
    assert (by_udp.fault, by_udp.detail, by_udp.code) == (None, "truncated", 0)
    assert (by_tcp.fault, by_tcp.detail) == (None, "")
    assert [span.phase for span in by_tcp.phases] == [Phase.CONNECT, Phase.FIRST_BYTE]


@pytest.mark.parametrize(
    ("request_", "fault", "detail"),
    [
        ("big.cluster.local TXT large", None, "truncated to "),
        (f"{NAME} A large", Fault.OTHER, "expected a large one, of more than 1232"),
        ("gone.cluster.local A large", Fault.OTHER, "no large answer, so nothing is known of these: NXDOMAIN"),
        (f"{NAME} TXT large", Fault.OTHER, "no large answer, so nothing is known of these: NOERROR"),
    ],
)
def test_unbound_is_asked_for_a_large_answer(unbound: int, request_: str, fault: Fault | None, detail: str) -> None:
    (seen,) = look(check(unbound, request_))
    assert (seen.fault, seen.received) == (fault, 1)
    assert detail in seen.detail


def test_a_large_answer_is_asked_for_and_taken_by_udp() -> None:
    offered: list[int] = []

    def script(sock: socket.socket, wire: bytes, peer: tuple[str, int]) -> None:
        offered.append(question(wire).payload)
        records = [Record(question(wire).name, RecordType.A, 5, f"10.1.{n // 250}.{n % 250 + 1}") for n in range(100)]
        sock.sendto(encode_answer(question(wire), Rcode.NOERROR, records, limit=offered[0]), peer)

    with udp_server(script) as port:
        (seen,) = look(check(port, "big.cluster.local A large"))
    assert (seen.fault, seen.detail, offered) == (None, "", [4096])


def test_unbound_is_asked_without_edns_where_the_options_say_so(unbound: int) -> None:
    (plain,) = look(check(unbound), options=DnsOptions(payload=0, recursion=False))
    assert plain.fault is None


def test_a_v6_server_is_asked() -> None:
    with udp_server(lambda sock, wire, peer: none(sock.sendto(good(wire), peer)), "::1") as port:
        (seen,) = look(msgspec.structs.replace(check(port), address="::1"))
    assert (seen.fault, seen.family) == (None, 6)


def test_ids_source_ports_and_made_up_names_change_with_every_question() -> None:
    asked: list[tuple[int, str, int]] = []

    def note(sock: socket.socket, wire: bytes, peer: tuple[str, int]) -> None:
        asked.append((question(wire).id, question(wire).name, peer[1]))
        sock.sendto(encode_answer(question(wire), Rcode.NXDOMAIN), peer)

    with udp_server(note) as port:
        seen = look(*[check(port, "*.cluster.local A", "nxdomain")] * 8)
    assert all(one.fault is None for one in seen)
    assert [one.source_port for one in seen] == [port for _, _, port in asked]
    ids, names, ports = (set(column) for column in zip(*asked, strict=True))
    assert len(ids) == len(names) == 8
    assert len(ports) > 4  # the kernel may draw one twice
    assert all(str(name).endswith(".cluster.local") for name in names)


@pytest.mark.parametrize("text", ["", "a", "a NOPE", "a A sctp", "a A udp x", "a OPT", "a..b A", "x" * 64 + " A"])
def test_a_bad_request_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ValueError):
        parse_request(text)
    (seen,) = look(check(53, text))
    assert (seen.fault, seen.sent) == (Fault.OTHER, 0)


def test_a_bad_expectation_and_a_name_for_a_server_are_refused() -> None:
    with pytest.raises(ValueError, match="NXDOMAIN"):
        parse_answer("GOOD")
    (seen,) = look(msgspec.structs.replace(CHECK, address="dns.example"))
    assert (seen.fault, seen.sent) == (Fault.OTHER, 0)
    assert "dns.example" in seen.detail


@pytest.mark.parametrize(
    ("forge", "word"),
    [
        (
            lambda wire: encode_answer(Question("evil.example", RecordType.A, question(wire).id), 0, [RECORD]),
            "evil.example",
        ),
        (lambda wire: wire, "not a response"),
        (lambda wire: good(wire)[:-1], "malformed"),
        (lambda wire: wire[:2] + bytes(range(256)), "malformed"),
        (lambda wire: b"\0", "malformed"),
    ],
    ids=["wrong question", "echo", "cut short", "garbage", "one byte"],
)
def test_a_wrong_answer_is_one_and_says_why(forge: Callable[[bytes], bytes], word: str) -> None:
    with udp_server(lambda sock, wire, peer: none(sock.sendto(forge(wire), peer))) as port:
        (seen,) = look(check(port))
    assert (seen.fault, seen.code) == (Fault.WRONG_ANSWER, None)
    assert word in seen.detail


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([], "no A record"),
        ([Record(NAME, RecordType.AAAA, 5, "fd00::1")], "no A record among 1 of type AAAA"),
        ([Record(NAME, RecordType.CNAME, 5, "gone.example")], "no A record among 1 of type CNAME"),
    ],
)
def test_an_empty_answer_is_a_wrong_one_unless_it_is_expected(
    transport: str, answers: list[Record], reason: str
) -> None:
    def reply(wire: bytes) -> bytes:
        return encode_answer(question(wire), 0, answers)

    def ask(expect: str) -> Observation:
        if transport == "udp":
            with udp_server(lambda sock, wire, peer: none(sock.sendto(reply(wire), peer))) as port:
                return look(check(port, expect=expect))[0]
        with tcp_server(lambda link, wire: link.sendall(len(reply(wire)).to_bytes(2, "big") + reply(wire))) as port:
            return look(check(port, f"{NAME} A tcp", expect))[0]

    plain, other, expected = map(ask, ("", "NXDOMAIN", "nodata"))
    assert (plain.fault, plain.code) == (Fault.WRONG_ANSWER, 0)
    assert plain.detail == f"an empty answer (NODATA) instead of NOERROR: {reason}"
    assert (other.fault, other.received) == (Fault.WRONG_ANSWER, 1)
    assert (expected.fault, expected.detail) == (None, "")


def test_records_where_none_are_expected_are_a_wrong_answer() -> None:
    with udp_server(lambda sock, wire, peer: none(sock.sendto(good(wire), peer))) as port:
        (seen,) = look(check(port, expect="NODATA"))
    assert (seen.fault, seen.detail) == (Fault.WRONG_ANSWER, "NOERROR instead of NODATA")


def test_a_truncated_answer_by_tcp_is_a_wrong_one() -> None:
    def reply(wire: bytes) -> bytes:
        short = encode_answer(question(wire), 0, [RECORD], limit=20)
        return len(short).to_bytes(2, "big") + short

    with tcp_server(lambda link, wire: link.sendall(reply(wire))) as port:
        (seen,) = look(check(port, f"{NAME} A tcp"))
    assert (seen.fault, seen.detail) == (Fault.WRONG_ANSWER, "truncated, though it was asked by TCP")


def test_nobody_there_is_refused_by_udp_and_by_tcp() -> None:
    port = free_port()
    by_udp, by_tcp = look(check(port), check(port, f"{NAME} A tcp"))
    assert (by_udp.fault, by_tcp.fault) == (Fault.REFUSED, Fault.REFUSED)


def test_a_starved_loop_accuses_nobody_and_believes_the_kernel_s_stamp() -> None:
    """An answer that lay in the buffer in time is one, however late we look; none at all is our own trouble."""

    async def starve(port: int, timeout: float, request: str = f"{NAME} A") -> Observation:
        prober = probe()
        asking = asyncio.ensure_future(prober(check(port, request, timeout=timeout)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        time.sleep(timeout + 0.4)  # noqa: ASYNC251 - the point of it
        try:
            return await asking
        finally:
            prober.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        with udp_server(lambda sock, wire, peer: none(sock.sendto(good(wire), peer))) as port:
            answered = runner.run(starve(port, 0.3))
        with udp_server(lambda sock, wire, peer: None) as port:
            silent = runner.run(starve(port, 0.3))
        with tcp_server(lambda link, wire: none(link.recv(1))) as port:
            by_tcp = runner.run(starve(port, 0.3, f"{NAME} A tcp"))
    assert answered.fault is None
    assert answered.rtt
    assert answered.rtt.clock is StampSource.KERNEL
    for one in (silent, by_tcp):
        assert one.fault is Fault.LOCAL
        assert "event loop was" in one.detail


def test_no_file_descriptors_left_is_our_own_trouble() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hog: list[socket.socket] = []

    async def squeezed() -> tuple[Observation, Observation]:
        prober = probe()
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        try:
            with contextlib.suppress(OSError):
                while True:
                    hog.append(socket.socket())
            return await prober(CHECK), await prober(check(53, f"{NAME} A tcp"))
        finally:
            for held in hog:
                held.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        by_udp, by_tcp = runner.run(squeezed())
    assert (by_udp.fault, by_tcp.fault) == (Fault.LOCAL, Fault.LOCAL)
