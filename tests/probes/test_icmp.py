from __future__ import annotations

import pytest

from kubesonar.model import Check, Fault, Kind, Network, Observation
from kubesonar.model import Path as Way
from kubesonar.net.icmp.pinger import Pinger
from kubesonar.probes.icmp import IcmpOptions, IcmpProbe
from kubesonar.probes.source import ProbeSource
from tests.net.rig import run


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost"])
def test_an_echo(address: str) -> None:
    async def scenario() -> Observation:
        pinger = Pinger()
        probe = IcmpProbe(ProbeSource("node-1", Network.HOST), pinger, IcmpOptions())
        seen = await probe(Check("icmp", Kind.ICMP, Way.HOST, "t", address))
        pinger.close()
        return seen

    seen = run(scenario())
    if seen.fault is Fault.NOT_PERMITTED:
        pytest.skip("ping is not permitted here")
    assert (seen.fault, seen.sent, seen.received) == (None, 1, 1)
    assert seen.rtt is not None
    assert 0 < seen.rtt.best < 2
    assert seen.address in ("127.0.0.1", "::1")
