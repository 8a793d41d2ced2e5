"""Keeps what the kernel of a member dropped lately for want of room: differences of counters that only grow."""

from __future__ import annotations

from collections import deque

from kubesonar.model import Saturation

_SPAN = 60.0
"""Seconds over which drops are counted: those of the ledger's long window. Longer, and a shortage that is over is still
held to be the cause of loss; shorter, and the loss is still seen when its cause is forgotten."""

_GREATEST = 1 << 32
"""Greatest count that a snapshot may hold (`model.Count`)."""

_COUNTERS = (
    "conntrack_drops",
    "conntrack_early_drops",
    "conntrack_insert_failed",
    "udp_receive_drops",
    "udp_send_drops",
    "softnet_drops",
)


class SaturationWindow:
    """Keeps readings of one minute. `total` is the latest, whose counters began with the kernel or the namespace;
    `recent` has what they grew by since the oldest. Both are None before a first reading."""

    def __init__(self) -> None:
        self.total: Saturation | None = None
        self.recent: Saturation | None = None
        self._kept: deque[Saturation] = deque()

    def note(self, reading: Saturation) -> None:
        """Take in a reading of the kernel's counters; to be called each few seconds."""
        if self._kept and self._kept[-1].at > reading.at:
            self._kept.clear()  # the wall clock was set back
        self._kept.append(reading)
        while reading.at - self._kept[0].at > _SPAN:
            self._kept.popleft()
        self.total, self.recent = reading, _growth(self._kept[0], reading)


def _growth(before: Saturation, now: Saturation) -> Saturation:
    grown = {name: _difference(getattr(before, name), getattr(now, name)) for name in _COUNTERS}
    return Saturation(now.at, now.at - before.at, now.conntrack_entries, now.conntrack_limit, **grown)


def _difference(before: int | None, now: int | None) -> int | None:
    """Return how much a counter grew; 0 where it began anew."""
    return None if before is None or now is None else min(max(0, now - before), _GREATEST)
