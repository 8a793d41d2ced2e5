"""How long TCP takes where packets get lost, by the timers of Linux."""

from __future__ import annotations

from typing import NamedTuple

from bench.diagnosis.network import Way

_SYN = 1.0
"""Seconds until a SYN, or the answer to one, is sent again (RFC 6298; Linux sends the first four linearly)."""

_RETRY = 0.2
"""The shortest time-out of a segment, doubled each time (TCP_RTO_MIN)."""


class Connected(NamedTuple):
    """When a connect was done, counted from its start (None: not before the deadline), and how many SYNs were lost."""

    after: float | None
    retransmits: int


def connect(there: Way, back: Way, now: float, timeout: float) -> Connected:
    """A handshake from `now` on. The other side repeats its own half as well."""
    heard = False
    tries = 0
    at = 0.0
    while at < timeout:
        chances = int(heard)
        if there.passes(now + at):
            heard = True
            chances += 1
        after = at + there.latency + back.latency
        if any(back.passes(now + after) for _ in range(chances)) and after <= timeout:
            return Connected(after, tries)
        tries += 1
        at += _SYN
    return Connected(None, tries - 1)


def deliver(way: Way, start: float, deadline: float) -> float | None:
    """When a segment that is sent at `start` arrives, None where not before the deadline."""
    wait = _RETRY
    while start <= deadline:
        if way.passes(start):
            arrival = start + way.latency
            return arrival if arrival <= deadline else None
        start += wait
        wait *= 2
    return None
