"""Counters and histograms stay within their bounds."""

from __future__ import annotations

from kubesonar.core.telemetry.instruments import CounterVec, Histograms
from kubesonar.core.telemetry.probe_counters import ProbeCounts
from kubesonar.model import Check, Fault, Kind, Network, Observation, Path, Phase, Rtt, Side, Span, StampSource

UDP = Check(id="u", kind=Kind.UDP, path=Path.POD, target="b", address="::1")


def seen(**changes: object) -> Observation:
    return Observation(**{"check": UDP, "source": "a", "network": Network.POD, "at": 1.0, **changes})  # type: ignore[arg-type]


def test_a_counter_beyond_the_limit_is_dropped_and_counted() -> None:
    counters = CounterVec(limit=2)
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
    counts.add(seen(sent=8, received=7, rtt=Rtt(best=0.0002, mean=0.1, worst=0.2, clock=StampSource.KERNEL)))
    counts.add(seen(sent=8, received=0, fault=Fault.TIMEOUT))
    counts.add(seen(side=Side.RESPONDER, sent=8, received=8))
    assert counts.probes.series == {("udp", "pod", "good"): 1, ("udp", "pod", "timeout"): 1}
    assert (counts.udp_sent, counts.udp_received) == (16, 7)
    assert counts.rtt.series["pod",].counts[1] == 1
    assert counts.overflow == 0


def test_the_train_to_the_own_loopback_is_no_probe_of_the_network() -> None:
    counts = ProbeCounts()
    check = Check(id="l", kind=Kind.UDP, path=Path.LOOPBACK, target="a", address="::1")
    counts.add(
        seen(check=check, sent=8, received=8, rtt=Rtt(best=0.0002, mean=0.1, worst=0.2, clock=StampSource.KERNEL))
    )
    assert (counts.probes.series, counts.udp_sent, counts.rtt.series) == ({}, 0, {})


def test_a_plain_target_counts_for_as_long_as_its_probe_took_unless_it_failed() -> None:
    counts = ProbeCounts()
    check = Check(id="h", kind=Kind.HTTP, path=Path.API_DIRECT, target="api", address="::1")
    phases = (Span(Phase.CONNECT, 0.0, 0.01), Span(Phase.FIRST_BYTE, 0.01, 0.03))
    counts.add(seen(check=check, phases=phases, received=1))
    counts.add(seen(check=check, phases=phases, fault=Fault.WRONG_ANSWER))
    counts.add(seen(check=UDP, phases=phases, received=1))
    tally = counts.answers.series["http", "api_direct"]
    assert (tally.counts, tally.total) == ([0, 0, 1, 0, 0, 0], 0.03)
    assert len(counts.answers.series) == 1
