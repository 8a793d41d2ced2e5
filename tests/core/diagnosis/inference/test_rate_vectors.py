from __future__ import annotations

import pytest

from kubesonar.core.diagnosis.inference.rate_vectors import NAT, fields, vector
from kubesonar.core.diagnosis.inference.trial_model import RATES


def nats(total: int) -> list[float]:
    return [(value - zero) / NAT for value, zero in zip(fields(total), fields(0), strict=True)]


def test_sums_and_multiples_are_those_of_each_rate() -> None:
    first = [5.0 - 3.0 * index for index in range(len(RATES))]
    second = [-0.001 * index for index in range(len(RATES))]
    expected = [1000 * one + 7 * other for one, other in zip(first, second, strict=True)]
    assert nats(1000 * vector(first) + 7 * vector(second)) == pytest.approx(expected, abs=1e-6)


def test_a_quarter_of_an_hour_of_ten_thousand_nodes_fits() -> None:
    trials = 10**9
    said = [-7.6 if index % 2 else -0.001 for index in range(len(RATES))]
    assert nats(trials * vector(said)) == pytest.approx([trials * each for each in said], rel=1e-5)


def test_what_fits_into_no_field_is_no_error() -> None:
    assert len(fields(-(1 << 70) * vector([7.6] * len(RATES)))) == len(RATES)
