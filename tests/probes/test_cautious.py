"""Targets that may be gone are accused only after they were listed again."""

from __future__ import annotations

import asyncio

import msgspec

from kubesonar.model import Check, Fault, Kind, Network, Observation, Path
from kubesonar.probes.cautious import CautiousProbe

POD = Check("dns/dns_pod/coredns-a/udp", Kind.DNS, Path.DNS_POD, "coredns-a", "10.1.0.2")


class Pods:
    """A listing that a test makes anew."""

    def __init__(self, listed: float) -> None:
        self.listed = listed
        self.doubts = 0

    def doubt(self) -> None:
        self.doubts += 1


async def silent(check: Check) -> Observation:
    return Observation(check, "node-1", Network.POD, 100.0, fault=Fault.TIMEOUT)


async def well(check: Check) -> Observation:
    return Observation(check, "node-1", Network.POD, 100.0, received=1)


def test_a_silent_pod_is_listed_again_and_then_accused() -> None:
    pods = Pods(listed=50.0)
    probe = CautiousProbe(silent, Path.DNS_POD, pods)
    assert asyncio.run(probe(POD)).fault is Fault.OTHER
    assert pods.doubts == 1
    pods.listed = 101.0
    assert asyncio.run(probe(POD)).fault is Fault.TIMEOUT


def test_other_paths_and_good_answers_pass_as_they_are() -> None:
    pods = Pods(listed=50.0)
    service = msgspec.structs.replace(POD, path=Path.DNS_SERVICE)
    assert asyncio.run(CautiousProbe(silent, Path.DNS_POD, pods)(service)).fault is Fault.TIMEOUT
    assert asyncio.run(CautiousProbe(well, Path.DNS_POD, pods)(POD)).fault is None
    assert pods.doubts == 0
