"""What may be gone is not accused before it is known to be there still."""

from __future__ import annotations

import msgspec

from kubesonar.core.probing.stale_targets import StaleTargets
from kubesonar.model import Check, Fault, Health, Kind, Network, Observation, Path

CHECK = Check("dns/dns_pod/coredns-a/udp", Kind.DNS, Path.DNS_POD, "coredns-a", "10.1.0.2")
SILENT = Observation(CHECK, "node-1", Network.POD, 100.0, fault=Fault.TIMEOUT, detail="no answer within 3 s")
WELL = Observation(CHECK, "node-1", Network.POD, 200.0, received=1)


def at(when: float) -> Observation:
    return msgspec.structs.replace(SILENT, at=when)


def test_silence_says_nothing_until_it_was_looked_up_again() -> None:
    stale = StaleTargets()
    seen = stale.judged(at(100), listed=50.0)
    assert (seen.fault, seen.health) == (Fault.OTHER, Health.UNKNOWN)
    assert seen.detail == "timeout, but it may be gone, not looked up again yet; no answer within 3 s"
    assert stale.judged(at(110), listed=50.0).health is Health.UNKNOWN
    assert stale.judged(at(120), listed=115.0) == at(120)  # it is still there, and silent
    assert stale.judged(at(130), listed=115.0) == at(130)


def test_an_answer_begins_anew() -> None:
    stale = StaleTargets()
    stale.judged(at(100), listed=50.0)
    assert stale.judged(WELL, listed=115.0) == WELL
    assert stale.judged(at(300), listed=115.0).fault is Fault.OTHER


def test_our_own_trouble_is_no_silence() -> None:
    local = msgspec.structs.replace(SILENT, fault=Fault.LOCAL)
    assert StaleTargets().judged(local, listed=0.0) == local


def test_not_more_is_remembered_than_fits() -> None:
    stale = StaleTargets()
    for number in range(2000):
        check = msgspec.structs.replace(CHECK, id=f"dns/dns_pod/{number}/udp")
        stale.judged(msgspec.structs.replace(SILENT, check=check), listed=50.0)
    assert stale.judged(msgspec.structs.replace(SILENT, check=check, at=200.0), listed=150.0).fault is Fault.TIMEOUT
    first = msgspec.structs.replace(SILENT, check=msgspec.structs.replace(CHECK, id="dns/dns_pod/0/udp"), at=200.0)
    assert stale.judged(first, listed=150.0).fault is Fault.OTHER
