"""Whether the numbers in a stranger's snapshot can be numbers of a measurement."""

from __future__ import annotations

from kubesonar.model import Edge, Snapshot, Trial, Window

_LATEST = 1e11
"""Unix seconds of the year 5138: beyond, arithmetic with times loses what it is for."""

_LONGEST = 1e6
"""Longest span or round trip (s)."""

_MOST = 1 << 32
"""Most datagrams in a trial or a window, and trains."""

_FASTEST = 1e15
"""Greatest rate (bits/s)."""


def absurd(snapshot: Snapshot) -> str:
    """Which kind of number cannot be, empty where all can: diagnosis calculates with them."""
    times = (
        snapshot.at,
        snapshot.started,
        *(t for trouble in snapshot.troubles for t in (trouble.since, trouble.until)),
    )
    if not all(t is None or 0 <= t <= _LATEST for t in times):
        return "a time"
    if not all(_window(edge.short) and _window(edge.long) for edge in snapshot.edges):
        return "a window"
    return "" if all(map(_trials, snapshot.edges)) else "a trial"


def _window(window: Window) -> bool:
    counts = (window.observations, window.failed, window.unknown, window.sent, window.received)
    seconds = (window.rtt_best, window.rtt_mean)
    return 0 < window.span <= _LONGEST and all(0 <= n <= _MOST for n in counts) and max(seconds) <= _LONGEST


def _trials(edge: Edge) -> bool:
    return 0 <= edge.latest.check.timeout <= _LONGEST and all(map(_trial, edge.trials))


def _trial(trial: Trial) -> bool:
    return (
        0 <= trial.at <= _LATEST
        and 0 <= trial.number <= _MOST
        and 0 <= trial.received <= _MOST
        and 0 <= trial.sent <= _MOST
        and 0 <= trial.seen <= _MOST
        and 0 <= trial.rtt <= _LONGEST
        and 0 <= trial.rate <= _FASTEST
    )
