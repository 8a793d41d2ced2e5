"""The lab's DNS server, asked by dnspython."""

from __future__ import annotations

import asyncio
import struct

import dns.asyncquery
import dns.message
import dns.rcode

from kubesonar.core.dns.message import Question, encode_answer, encode_question
from kubesonar.core.dns.records import Record, RecordType
from kubesonar.lab.servers.nameserver import Zone, cluster_records, dns_server, large_records, udp_limit
from tests.lab.servers.support import HOST, run, running

NAME = "kubernetes.default.svc.cluster.local"
ZONE = Zone("cluster.local", cluster_records(v6="fd00::1"))


def test_the_name_server_answers_for_its_zone_by_udp_and_tcp() -> None:
    async def work() -> None:
        async with running(lambda port, stop: dns_server([HOST], port, ZONE, stop)) as port:
            for asking in (dns.asyncquery.udp, dns.asyncquery.tcp):
                for name, kind, rcode, text in (
                    (NAME, "A", dns.rcode.NOERROR, ["10.96.0.1"]),
                    (NAME.upper(), "AAAA", dns.rcode.NOERROR, ["fd00::1"]),
                    (NAME, "TXT", dns.rcode.NOERROR, []),
                    ("gone.cluster.local", "A", dns.rcode.NXDOMAIN, []),
                    ("example.org", "A", dns.rcode.REFUSED, []),
                ):
                    reply = await asking(dns.message.make_query(name, kind), HOST, timeout=30, port=port)
                    assert reply.rcode() == rcode, name
                    assert [str(record) for rrset in reply.answer for record in rrset] == text

    run(work)


def test_what_is_no_question_is_not_answered() -> None:
    """Two servers that answered each other's answers would never stop."""
    question = Question(NAME, RecordType.A, 7)
    assert ZONE.answer(encode_question(question), 512)
    for wire in (b"", b"\0" * 12, b"\xff" * 40, encode_answer(question, 0), encode_question(question)[:-1]):
        assert ZONE.answer(wire, udp_limit(wire)) is None


def test_an_answer_that_is_too_long_for_the_client_is_truncated() -> None:
    zone = Zone("cluster.local", [Record("big.cluster.local", RecordType.TXT, 5, (b"x" * 250,)) for _ in range(20)])
    asked = [encode_question(Question("big.cluster.local", RecordType.TXT, 7, payload=size)) for size in (0, 65535)]
    plain, greedy = (zone.answer(wire, udp_limit(wire)) for wire in asked)
    assert plain
    assert greedy
    assert struct.unpack_from(">H", plain, 2)[0] & struct.unpack_from(">H", greedy, 2)[0] & 0x0200
    assert len(greedy) <= 4096


def test_a_large_answer_is_larger_than_a_packet_and_whole() -> None:
    wire = encode_question(Question("large.default.svc.cluster.local", RecordType.A, 7, payload=4096))
    answer = Zone("cluster.local", large_records()).answer(wire, udp_limit(wire))
    assert answer is not None
    assert 1500 < len(answer) <= 4096


def test_the_name_server_stops_in_spite_of_an_open_connection() -> None:
    async def work() -> None:
        async with running(lambda port, stop: dns_server([HOST], port, ZONE, stop)) as port:
            reader, writer = await asyncio.open_connection(HOST, port)
            wire = encode_question(Question(NAME, RecordType.A, 7))
            writer.write(len(wire).to_bytes(2, "big") + wire)
            assert len(await reader.readexactly(2)) == 2
        writer.close()

    run(work)
