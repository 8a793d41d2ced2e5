"""Durations as Go writes them (https://pkg.go.dev/time#ParseDuration)."""

from __future__ import annotations

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PIECE = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_LONGEST = 2**63 * 1e-9
_TEXT_LIMIT = 100


def parse_duration(text: str) -> float:
    """Return the seconds of "5s", "1h30m", "-1.5h" or "0". Raises ValueError for other texts and for 292 years or
    more."""
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0.0
    seconds, position = 0.0, 0
    while len(text) <= _TEXT_LIMIT and (piece := _PIECE.match(rest, position)):
        seconds += float(piece[1]) * _UNITS[piece[2]]
        position = piece.end()
    if not rest or position != len(rest) or seconds >= _LONGEST:
        raise ValueError('a duration is written as "5s", "500ms" or "1h30m"')
    return -seconds if text[0] == "-" else seconds
