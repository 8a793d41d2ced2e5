"""Questions that are passed on: to a zone of one's own, to the first server that answers, to nobody."""

from __future__ import annotations

import asyncio

import dns.asyncquery
import dns.message
import dns.rcode

from kubesonar.core.dns.records import Record, RecordType
from kubesonar.lab.servers.dns_forwarder import Forwarder
from kubesonar.lab.servers.nameserver import Zone, cluster_records, dns_server
from tests.lab.servers.support import HOST, run, running

OUTSIDE = Zone("com", (Record("example.com", RecordType.A, 5, "192.0.2.1"),))
OWN = Zone("cluster.local", cluster_records())
PATIENT = 30.0
NAMES = {"kubernetes.default.svc.cluster.local": ["10.96.0.1"], "example.com": ["192.0.2.1"]}


def test_own_names_are_answered_and_others_asked_for_by_udp_and_tcp() -> None:
    async def work() -> None:
        async with running(lambda port, stop: dns_server([HOST], port, OUTSIDE, stop)) as beyond:
            source = Forwarder([(HOST, beyond)], PATIENT, OWN)
            async with running(lambda port, stop: dns_server([HOST], port, source, stop)) as port:
                for asking in (dns.asyncquery.udp, dns.asyncquery.tcp):
                    for name, expected in NAMES.items():
                        reply = await asking(dns.message.make_query(name, "A"), HOST, timeout=PATIENT, port=port)
                        assert [str(record) for rrset in reply.answer for record in rrset] == expected

    run(work)


def test_a_dead_server_is_passed_over_and_where_all_are_dead_that_is_said() -> None:
    async def asked(servers: list[tuple[str, int]], timeout: float) -> int:
        source = Forwarder(servers, timeout)
        async with running(lambda port, stop: dns_server([HOST], port, source, stop)) as port:
            query = dns.message.make_query("example.com", "A")
            return (await dns.asyncquery.udp(query, HOST, timeout=PATIENT, port=port)).rcode()

    async def work() -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=(HOST, 0)
        )
        silent = (HOST, transport.get_extra_info("sockname")[1])
        try:
            async with running(lambda port, stop: dns_server([HOST], port, OUTSIDE, stop)) as beyond:
                assert await asked([silent, (HOST, beyond)], PATIENT) == dns.rcode.NOERROR
            assert await asked([silent], 0.2) == dns.rcode.SERVFAIL
        finally:
            transport.close()

    run(work)


def test_what_is_no_question_is_not_answered() -> None:
    async def work() -> None:
        assert await Forwarder([], PATIENT, OWN).answer(b"\0" * 12, 512) is None

    run(work)
