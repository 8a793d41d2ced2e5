from __future__ import annotations

import socket

import msgspec
import pytest

from kubesonar.model import Check, Fault, Health, Kind, Network, Observation, Phase, Span, StampSource
from kubesonar.model import Path as Way
from kubesonar.net.deadline import Deadline
from kubesonar.net.tcp.stream import Stream
from kubesonar.probes.attempt import Attempt
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.tcp import TcpOptions, TcpProbe
from tests.net.book import Book
from tests.net.rig import run
from tests.net.servers import serving, silent

SOURCE = ProbeSource("node-1", Network.POD)


def _check(address: str, port: int) -> Check:
    return Check("tcp", Kind.TCP, Way.POD, "node-2", address, port)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("reset", [False, True])
def test_an_accepted_connection(host: str, reset: bool) -> None:
    async def scenario() -> Observation:
        async with serving(silent, host) as port:
            return await TcpProbe(SOURCE, TcpOptions(reset=reset))(_check(host, port))

    seen = run(scenario())
    assert seen.health is Health.GOOD
    assert (seen.address, seen.family, seen.sent, seen.received) == (host, 4 if host == "127.0.0.1" else 6, 1, 1)
    assert seen.rtt is not None
    assert seen.kernel is not None
    assert seen.rtt.clock is StampSource.KERNEL
    assert seen.rtt.best == seen.kernel.rtt > 0
    assert [span.phase for span in seen.phases] == [Phase.CONNECT]
    assert seen.source_port


def test_every_address_of_a_name_is_tried() -> None:
    async def nothing(stream: Stream, deadline: Deadline, phases: list[Span]) -> str:
        return ""

    async def scenario(*addresses: str, family: int = 0) -> Observation:
        async with serving(silent) as port:
            check = msgspec.structs.replace(_check("dual.test", port), family=family)
            return await Attempt(check, SOURCE).over_stream(Book(*addresses), nothing)

    well = run(scenario("::1", "127.0.0.1"))
    assert (well.fault, well.address, well.family) == (None, "127.0.0.1", 4)
    assert well.detail.startswith("IPv6, ::1: ")
    assert [span.phase for span in well.phases] == [Phase.DNS, Phase.CONNECT]
    dead = run(scenario("::1", "127.0.0.1", family=6))
    assert (dead.fault is None, dead.address, dead.received) == (False, "::1", 0)
    both = run(scenario("::1", "127.0.0.9", "127.0.0.1", family=4))
    assert (both.address, both.fault) == ("127.0.0.1", None)
    assert "127.0.0.9" in both.detail


def test_a_refused_one() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        seen = run(TcpProbe(SOURCE, TcpOptions())(_check(*closed.getsockname())))
    assert (seen.fault, seen.received, seen.rtt, seen.phases) == (Fault.REFUSED, 0, None, ())
    assert seen.source_port


def test_a_name_is_looked_up_first() -> None:
    async def scenario() -> Observation:
        async with serving(silent) as port:
            return await TcpProbe(SOURCE, TcpOptions())(_check("localhost", port))

    seen = run(scenario())
    assert seen.address in ("127.0.0.1", "::1")
    assert seen.phases[0].phase is Phase.DNS


def test_a_name_that_is_none() -> None:
    seen = run(TcpProbe(SOURCE, TcpOptions())(_check("no such host", 80)))
    assert (seen.fault, seen.address) == (Fault.UNRESOLVED, "")
