"""Whole numbers in text from outside."""

from __future__ import annotations

import pytest

from kubesonar.core.integers import read_integer


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("0010", 10), ("99", 99), ("000000099", 99)])
def test_a_number_in_its_bounds_is_read(text: str, number: int) -> None:
    assert read_integer(text, 1, 99) == number


@pytest.mark.parametrize(
    "text", ["", "0", "100", "-1", "+1", " 1", "1 ", "1\n", "1.0", "1e1", "0x1", "1_0", "²", "٣", "१", "9" * 5000]
)
def test_all_else_is_none(text: str) -> None:
    assert read_integer(text, 1, 99) is None


def test_a_time_in_milliseconds_has_more_digits() -> None:
    assert read_integer("1764403200000", 0, 10**14) == 1_764_403_200_000
    assert read_integer("0" * 16, 0, 10**14) is None
