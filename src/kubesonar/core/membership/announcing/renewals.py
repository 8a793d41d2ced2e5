"""Chooses what receivers that forget are told again: what is announced and still holds, and what ended lately."""

from __future__ import annotations

from collections.abc import Iterable

from kubesonar.core.membership.events import Announce, RenewAlerts

RENEWAL = 60.0
"""Seconds between two `RenewAlerts`. An Alertmanager forgets its alerts when it restarts: with more they are
missing for longer; less costs requests."""

RENEWED_END = 900.0
"""Seconds for which the end of what was announced is renewed, so that it reaches an Alertmanager that was away."""

MAX_ENDS = 1000
"""Most ends that are renewed: a bound on memory and on what is sent after a big event; the oldest go first."""


class Renewals:
    """The ends that were announced lately."""

    def __init__(self) -> None:
        self._ends: list[tuple[float, Announce]] = []

    def clear(self) -> None:
        """Begin anew: the coordinator has changed."""
        self._ends.clear()

    def announced(self, now: float, announcement: Announce) -> None:
        """Note an announcement: it takes the place of an end of the same member."""
        self._ends = [(at, end) for at, end in self._ends if end.member != announcement.member]
        if announcement.what.ends:
            self._ends.append((now, announcement))
            del self._ends[:-MAX_ENDS]

    def renew(self, now: float, held: Iterable[Announce]) -> RenewAlerts:
        """Return what is to be told again beside the announcements that are `held`."""
        self._ends = [(at, end) for at, end in self._ends if now - at <= RENEWED_END]
        return RenewAlerts((*held, *(end for _, end in self._ends)))
