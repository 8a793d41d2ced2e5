"""The Retry-After header (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import re

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DATE = re.compile(
    rf"[A-Z][a-z]{{2}}, (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII
)  # IMF-fixdate, the one form that is sent today (RFC 9110, section 5.6.7)


def retry_after(text: str, now: float) -> float | None:
    """Return the seconds to wait from `now` (Unix seconds): 0 for a time that is over, None for a header that is empty
    or says neither seconds nor a date. Used by the API server's client and by webhooks."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:12])
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    from calendar import timegm

    day, month, year, *clock = found.groups()
    hours, minutes, seconds = map(int, clock)
    try:
        midnight = timegm((int(year), _MONTHS.index(month) + 1, int(day), 0, 0, 0))
    except ValueError:  # the year 0
        return None
    return max(0.0, midnight + hours * 3600 + minutes * 60 + seconds - now)
