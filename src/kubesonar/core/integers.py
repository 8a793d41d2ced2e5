"""Whole numbers in text from outside."""

from __future__ import annotations

_MOST_DIGITS = 9
"""Digits of a number that is read. More, and a text of thousands of digits costs time, or is refused by `int` with an
error of its own; fewer, and identifiers of nine digits are refused."""


def read_integer(text: str, least: int, most: int) -> int | None:
    """Return the number from `least` to `most` that `text` is, in at most nine digits of ASCII and nothing else; None
    for all else."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        return None
    number = int(text)
    return number if least <= number <= most else None
