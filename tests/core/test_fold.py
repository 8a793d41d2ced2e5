"""Counters and histograms stay within their bounds."""

from __future__ import annotations

from kubesonar.core.counts import ProbeCounts
from kubesonar.core.fold import Counters, Histograms
from kubesonar.model import Check, Clock, Fault, Kind, Network, Observation, Path, Rtt, Side

UDP = Check(id="u", kind=Kind.UDP, path=Path.POD, target="b", address="::1")


def seen(**changes: object) -> Observation:
    return Observation(**{"check": UDP, "source": "a", "network": Network.POD, "at": 1.0, **changes})  # type: ignore[arg-type]


def test_a_counter_beyond_the_limit_is_dropped_and_counted() -> None:
    counters = Counters(limit=2)
    for label in "abcab":
        counters.add((label,))
    assert counters.series == {("a",): 2, ("b",): 2}
    assert counters.overflow == 1


def test_a_value_on_a_bound_counts_below_it() -> None:
    histograms = Histograms((1.0, 2.0), limit=1)
    for value in (0.5, 1.0, 1.5, 2.0, 99.0):
        histograms.add((), value)
    histograms.add(("one too many",), 1.0)
    assert histograms.series[()].counts == [2, 2, 1]
    assert histograms.series[()].total == 104.0
    assert histograms.overflow == 1


def test_probes_count_by_kind_and_result() -> None:
    counts = ProbeCounts()
    counts.add(seen(sent=8, received=7, rtt=Rtt(best=0.0002, mean=0.1, worst=0.2, clock=Clock.KERNEL)))
    counts.add(seen(sent=8, received=0, fault=Fault.TIMEOUT))
    counts.add(seen(side=Side.RESPONDER, sent=8, received=8))
    assert counts.probes.series == {("udp", "good"): 1, ("udp", "timeout"): 1}
    assert (counts.udp_sent, counts.udp_received) == (16, 7)
    assert counts.rtt.series[()].counts[1] == 1
    assert counts.overflow == 0
