"""Short texts: durations, shares and how sure a finding is."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return a duration in at most five characters: "82µs", "1.2ms", "120ms", "2.5s"."""
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.0f}µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.1f}ms" if seconds < 9.95e-3 else f"{seconds * 1e3:.0f}ms"
    return f"{seconds:.1f}s" if seconds < 99.95 else f"{min(seconds, 9999):.0f}s"


def share(part: float) -> str:
    """Return a share in at most four characters: "<1%", "12%"; "0%" and "100%" only where they are exact."""
    if part <= 0 or part >= 1:
        return "0%" if part <= 0 else "100%"
    return "<1%" if part < 0.01 else f"{min(99, round(100 * part))}%"


def lasting(seconds: float) -> str:
    """Return for how long something lasts, as people say it: "12 s", "5 min", "2.5 h"; nothing lasts less than none."""
    seconds = max(0.0, seconds)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def confidence_words(value: float) -> str:
    """Return "97 %", rounded down."""
    return f"{int(100 * min(1.0, max(0.0, value)) + 1e-9)} %"
