import pytest

from kubesonar.net.http.retry_after import retry_after

NOON = 1_795_262_400.0
"""2026-11-21T12:00:00Z."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("9" * 400, 999_999_999_999.0),
        ("Sat, 21 Nov 2026 12:02:05 GMT", 125.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("Sat, 21 Nov 0000 12:02:05 GMT", None),
        ("tomorrow", None),
    ],
)
def test_seconds_dates_and_nonsense(text: str, expected: float | None) -> None:
    assert retry_after(text, NOON) == expected
