"""An answer of another member than the one meant is no answer, whichever kind of check it is."""

from __future__ import annotations

import msgspec
import pytest

from kubesonar.core.wire.identity import IDENTITY_HEADER, WireIdentity
from kubesonar.model import Check, Fault, Kind, Member, Network, Observation, Path, Roster
from kubesonar.probes.http.http import HttpOptions, HttpProbe
from kubesonar.probes.mtu import MtuOptions, MtuProbe
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.target_identities import TargetIdentities
from kubesonar.probes.udp import UdpOptions, UdpProbe
from tests.net.rig import rig, run, who
from tests.net.servers import saying, serving

ME = ProbeSource("me", Network.POD)
C = Member("c", "node-2", ("127.0.0.1",), 7473)
ANSWERER = Member("2", "node-2", (), 7473)  # the identity of the rig's responder
ELSEWHERE = msgspec.structs.replace(C, node="node-3")


def targets(*members: Member) -> TargetIdentities:
    known = TargetIdentities()
    known.roster_changed(Roster("1", members))
    return known


def check(kind: Kind, port: int, path: Path = Path.POD) -> Check:
    url = f"http://127.0.0.1:{port}/healthz" if kind is Kind.HTTP else ""
    return Check(f"{kind}/c", kind, path, "c", "127.0.0.1", port, timeout=1.5, request=url)


def by_datagrams(kind: Kind, member: Member) -> Observation:
    async def scenario() -> Observation:
        with rig() as (engine, responder):
            probe = (
                UdpProbe(ME, engine, UdpOptions(), 1, targets(member))
                if kind is Kind.UDP
                else MtuProbe(ME, engine, engine, MtuOptions(), targets(member))
            )
            return await probe(check(kind, responder.port))

    return run(scenario())


@pytest.mark.parametrize("kind", [Kind.UDP, Kind.MTU])
def test_a_datagram_that_another_member_answers_is_misdelivered(kind: Kind) -> None:
    assert by_datagrams(kind, C).fault is None, f"{who('2')} is of the same node: a successor"
    seen = by_datagrams(kind, ELSEWHERE)
    assert (seen.fault, seen.received, seen.detail) == (Fault.MISDELIVERED, 0, "somebody else answers at 127.0.0.1")


def by_http(claim: str, path: Path = Path.POD) -> Observation:
    header = f"{IDENTITY_HEADER}: {claim}\r\n" if claim else ""
    answer = f"HTTP/1.1 200 OK\r\n{header}Content-Length: 3\r\nConnection: close\r\n\r\nok\n".encode()

    async def scenario() -> Observation:
        async with serving(saying(answer)) as port:
            probe = HttpProbe(ME, HttpOptions(), targets=targets(C))
            seen = await probe(check(Kind.HTTP, port, path))
            probe.close()
            return seen

    return run(scenario())


def test_an_http_answer_of_another_member_is_misdelivered() -> None:
    seen = by_http(WireIdentity.of(ELSEWHERE).claim)
    assert (seen.fault, seen.code, seen.detail) == (
        Fault.MISDELIVERED,
        200,
        "somebody else answers at 127.0.0.1",
    )
    host = msgspec.structs.replace(C, network=Network.HOST)
    assert by_http(WireIdentity.of(host).claim).fault is Fault.MISDELIVERED


@pytest.mark.parametrize("claim", [WireIdentity.of(C).claim, WireIdentity.of(ANSWERER).claim, "", "no hex", "abcd"])
def test_who_is_meant_its_successor_and_one_that_does_not_say_who_it_is_are_well(claim: str) -> None:
    assert by_http(claim).fault is None


def test_who_answers_for_a_service_is_not_asked() -> None:
    assert by_http(WireIdentity.of(ELSEWHERE).claim, Path.SERVICE).fault is None


def test_one_that_is_not_certain_who_it_is_claims_nothing() -> None:
    assert WireIdentity.of(C, certain=False).claim == ""
    assert WireIdentity.of(C).claim == WireIdentity.of(C).identity.hex()


def test_whoever_answers_is_well_where_only_the_address_is_known() -> None:
    by_address = WireIdentity.of(Member("127.0.0.1", "127.0.0.1", ("127.0.0.1",), 7473))
    assert not by_address.contradicts(WireIdentity.of(ELSEWHERE).claim)
