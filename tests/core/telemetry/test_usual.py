from __future__ import annotations

from random import Random

import pytest

from kubesonar.core.telemetry.usual import LEAST, UsualTime, time_taken
from kubesonar.model import Check, Fault, Kernel, Kind, Network, Observation, Path, Phase, Rtt, Span, StampSource

CHECK = Check("http/api", Kind.HTTP, Path.API_DNS, "api", "api.", 443)


def learned(rng: Random, checks: int = 2000) -> UsualTime:
    usual = UsualTime()
    for _ in range(checks):
        usual.slow(0.002 * (1 + rng.expovariate(5)))
    return usual


def test_95_percent_of_checks_stay_below_what_is_usual() -> None:
    rng = Random(1)
    usual = learned(rng)
    below = sum(0.002 * (1 + rng.expovariate(5)) < usual.seconds for _ in range(2000))
    assert 0.92 < below / 2000 < 0.98


def test_a_delay_is_slow_from_the_first_check_on_and_for_at_least_ten_minutes() -> None:
    usual = learned(Random(2))
    assert all(usual.slow(0.052) for _ in range(240))


def test_jitter_and_some_milliseconds_more_are_not_slow() -> None:
    usual = learned(Random(3))
    assert not usual.slow(0.010)
    assert not usual.slow(3 * usual.seconds + 0.0099)


def test_nothing_is_slow_before_the_usual_is_known() -> None:
    usual = UsualTime()
    assert not any(usual.slow(took) for took in (0.001, *[2.0] * (LEAST - 1)))


@pytest.mark.parametrize(
    ("fields", "took"),
    [
        ({"phases": (Span(Phase.DNS, 0.0, 1.0), Span(Phase.CONNECT, 1.0, 1.1), Span(Phase.FIRST_BYTE, 1.1, 1.5))}, 0.5),
        ({"rtt": Rtt(best=0.25, mean=0.3, worst=0.4, clock=StampSource.KERNEL)}, 0.25),
        ({"fault": Fault.TIMEOUT, "phases": (Span(Phase.CONNECT, 0.0, 3.0),)}, 0.0),
        ({}, 0.0),
    ],
)
def test_what_a_check_took_is_without_looking_up_its_name(fields: dict[str, object], took: float) -> None:
    observation = Observation(CHECK, "me", Network.POD, 0.0, **fields)  # type: ignore[arg-type]
    assert time_taken(observation) == pytest.approx(took)


def test_a_segment_that_was_sent_again_is_loss_and_no_delay() -> None:
    phases = (Span(Phase.CONNECT, 0.0, 1.0),)
    sent_again = Observation(CHECK, "a", Network.POD, 0.0, phases=phases, kernel=Kernel(retransmits=1))
    assert time_taken(sent_again) == 0.0
    assert time_taken(Observation(CHECK, "a", Network.POD, 0.0, phases=phases, kernel=Kernel())) == 1.0


@pytest.mark.parametrize(("kind", "took"), [(Kind.TCP, 0.0004), (Kind.HTTP, 0.3)])
def test_of_a_connection_alone_the_kernel_s_clock_tells(kind: Kind, took: float) -> None:
    check = Check("b", kind, Path.POD, "b", "10.0.0.2", 7473)
    kernel = Kernel(rtt=0.0004)
    observation = Observation(check, "a", Network.POD, 0.0, phases=(Span(Phase.CONNECT, 0.0, 0.3),), kernel=kernel)
    assert time_taken(observation) == took
