"""Times for people and for programs."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from kubesonar.views.page.moments import PageTimes


def clock(at: float) -> str:
    """Return Unix seconds as the local time of day; "?" for what no calendar has, as a snapshot may say anything."""
    try:
        return time.strftime("%H:%M:%S", time.localtime(at))
    except (OverflowError, ValueError, OSError):
        return "?"


def day_and_time(at: float) -> str:
    """Return Unix seconds as local day and time; "?" for what no calendar has."""
    try:
        return time.strftime("%b %d %H:%M:%S", time.localtime(at))
    except (OverflowError, ValueError, OSError):
        return "?"


def utc_stamp(at: float) -> str | None:
    """Return Unix seconds as a time stamp of RFC 3339 in UTC, with milliseconds; None for what no calendar has."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return None


def page_times() -> PageTimes:
    """Return how the page writes times: in the time zone of this process, as the sentences of verdicts do."""
    return PageTimes(clock, day_and_time, utc_stamp, time.tzname[time.localtime().tm_isdst > 0])


def file_stamp(at: float) -> str:
    """Return Unix seconds as UTC for the name of a file, "20261128-193000"."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%d-%H%M%S")
