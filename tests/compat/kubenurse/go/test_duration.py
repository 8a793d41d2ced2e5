from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.compat.kubenurse.go.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("5s", 5.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("5.s", 5.0),
        ("250ms", 0.25),
        ("10us", 1e-5),
        ("10µs", 1e-5),
        ("10μs", 1e-5),
        ("1s500ms", 1.5),
        ("-1m", -60.0),
        ("+2s", 2.0),
    ],
)
def test_reads_what_go_reads(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-", ".s", "5 s", "5S", "5d", "1h30", "9999999999h", "\u0665s", "5s" * 60]
)
def test_refuses_what_go_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="a duration is written as"):
        parse_duration(text)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_reads_what_go_writes(hours: int, minutes: int, seconds: int, milliseconds: int) -> None:
    text = f"{hours}h{minutes}m{seconds}.{milliseconds:03d}s"
    assert parse_duration(text) == pytest.approx(hours * 3600 + minutes * 60 + seconds + milliseconds / 1000)


@given(st.text(max_size=20))
def test_says_nothing_but_a_number_or_value_error(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(parse_duration(text), float)
