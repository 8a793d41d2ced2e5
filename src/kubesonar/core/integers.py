"""Whole numbers in text from outside."""

from __future__ import annotations

_LEADING = 9
"""Digits in which a small number may be written, with zeros before it. More, and a text of thousands of digits costs
time; fewer, and identifiers of nine digits are refused."""


def read_integer(text: str, least: int, most: int) -> int | None:
    """Return the number from `least` to `most` that `text` is, in at most nine digits of ASCII, or as many as `most`
    has, and nothing else; None for all else."""
    if not (text.isascii() and text.isdecimal() and len(text) <= max(_LEADING, len(str(most)))):
        return None
    number = int(text)
    return number if least <= number <= most else None
