"""Loss and round trip of nodes, pairs and targets by the minute, for the plots of one day, in bounded memory.

A minute of one series takes 4 bytes: the share lost in 1/60000, and the mean round trip in milliseconds as a
half-precision number. Both are exact to a thousandth or so, which no plot shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from struct import Struct as Packed

import msgspec

from kubesonar.core.telemetry.usual import time_taken
from kubesonar.model import Check, Health, Kind, Member, Observation, Path, Side, Trial

HISTORY_MINUTES = 1440
"""Minutes of one series. More, and the memory of 5,000 nodes grows by 20 KB for each; fewer, and last night is cut
off."""

_LATE = 3
"""Minutes that may still grow. Fewer, and what an agent reports after a short outage is not shown; more, and each
series takes more memory."""

_SLOT = Packed("<He")
_WHOLE, _NOTHING = 60_000, 0xFFFF
"""The values in a slot for all lost, and for nothing measured."""
_EMPTY = _SLOT.pack(_NOTHING, 0.0)
_MOST_MS = 60_000.0
"""Longest round trip of a slot in milliseconds, within what a half-precision number holds (65,504)."""


BETWEEN_MEMBERS = frozenset({Path.POD, Path.HOST})
"""The paths of checks whose target is a member; that of all others is a plain target."""


class HistoryPart(StrEnum):
    """The subject of a series: a node (all that its members ask and are asked), the way from one node to another, or a
    plain target."""

    NODE = "node"
    PAIR = "pair"
    TARGET = "target"


SERIES_LIMITS = {HistoryPart.NODE: 10_000, HistoryPart.PAIR: 4_096, HistoryPart.TARGET: 1_024}
"""Most series of each part; beyond, the one that is out of date longest goes. 5.6 KiB each: 85 MB if all are full.
More, and names that are made up take more memory; fewer, and a large cluster is shown in part."""


class NewTrials(msgspec.Struct, frozen=True):
    """Trials of one edge that were not known before, with its check and its latest observation."""

    check: Check
    latest: Observation
    trials: tuple[Trial, ...]


class HistorySeries(msgspec.Struct, frozen=True):
    """One series: `loss` (share of packets or checks lost, 0 to 1) and `rtt` (mean seconds from question to answer) of
    each minute from `start` (Unix seconds) on; None where nothing was measured. `subject` is a node, "NODE>NODE", or a
    target."""

    part: HistoryPart
    subject: str
    start: float
    loss: tuple[float | None, ...]
    rtt: tuple[float | None, ...]


class _Sums:
    __slots__ = ("answers", "lost", "sent", "took")

    def __init__(self) -> None:
        self.sent = 0
        self.lost = 0
        self.took = 0.0
        self.answers = 0

    def add(self, other: _Sums) -> None:
        self.sent += other.sent
        self.lost += other.lost
        self.took += other.took
        self.answers += other.answers

    def packed(self) -> bytes:
        share = round(self.lost / self.sent * _WHOLE) if self.sent else _NOTHING
        return _SLOT.pack(share, min(_MOST_MS, self.took / self.answers * 1000) if self.answers else 0.0)


class _Series:
    """Minutes in a row from number `first` on, packed, and the latest ones as sums. `current` is the last minute for
    which the series is kept: of a pair that in which it was last bad."""

    __slots__ = ("_first", "_open", "_slots", "current")

    def __init__(self, minute: int) -> None:
        self.current = minute
        self._first = minute
        self._slots = bytearray()
        self._open: dict[int, _Sums] = {}

    def add(self, minute: int, sums: _Sums) -> None:
        known = self._open.get(minute)
        if known is None:
            if minute < self._closed:
                return  # too late: its minute is packed
            known = self._open[minute] = _Sums()
            for old in sorted(self._open):
                if old <= max(self._open) - _LATE:
                    self._close(old)
        known.add(sums)

    def since(self, minute: int) -> tuple[int, list[tuple[int, float]]]:
        """Return the number of the first minute from that one on, and the slots."""
        slots = list(_SLOT.iter_unpack(self._slots))
        for number in sorted(self._open):
            slots += [(_NOTHING, 0.0)] * (number - self._first - len(slots))
            slots.append(_SLOT.unpack(self._open[number].packed()))
        skipped = max(0, minute - self._first)
        return self._first + skipped, slots[skipped:]

    @property
    def _closed(self) -> int:
        """The number of the first minute that is not packed."""
        return self._first + len(self._slots) // _SLOT.size

    def _close(self, minute: int) -> None:
        gap = minute - self._closed
        if gap > HISTORY_MINUTES:
            self._slots.clear()
            self._first, gap = minute, 0
        self._slots += _EMPTY * gap + self._open.pop(minute).packed()
        surplus = len(self._slots) // _SLOT.size - HISTORY_MINUTES
        if surplus > 0:
            del self._slots[: surplus * _SLOT.size]
            self._first += surplus


class ShortHistory:
    """All series. Reads no clock: `now` is Unix seconds. A pair has a series from the minute on in which it first lost
    something, until a day after it last did."""

    def __init__(self) -> None:
        self._series: dict[HistoryPart, dict[str, _Series]] = {part: {} for part in HistoryPart}
        self._minute = 0

    def add(
        self, source: Member, nodes: Mapping[str, str], told: Iterable[NewTrials], behind: float, now: float
    ) -> None:
        """Take what `source` newly told; `nodes` are the nodes of members by name, `behind` (s) what to add to its
        times."""
        minute = int(now // 60)
        if minute != self._minute:
            self._forget(minute)
        for news in told:
            if news.latest.side is not Side.SOURCE or news.check.kind is Kind.MTU or news.check.path is Path.LOOPBACK:
                continue
            target = news.check.target
            for at, sums in _by_minute(news, behind, minute).items():
                if news.check.path not in BETWEEN_MEMBERS:
                    self._add(HistoryPart.TARGET, target, at, sums)
                elif target in nodes:
                    self._add_way(source.node, nodes[target], at, sums)

    def subjects(self, part: HistoryPart | None, subject: str | None) -> Iterator[tuple[HistoryPart, str]]:
        """Return what there are series of, in order; of that part and subject only where they are given."""
        for each in HistoryPart if part is None else [part]:
            known = self._series[each]
            for name in sorted(known) if subject is None else [subject] if subject in known else []:
                yield each, name

    def series(self, part: HistoryPart, subject: str, since: float) -> HistorySeries:
        """Return a series of `subjects` from the minute of `since` (Unix seconds) on."""
        start, slots = self._series[part][subject].since(int(since // 60))
        return HistorySeries(
            part,
            subject,
            start * 60.0,
            tuple(None if share == _NOTHING else round(share / _WHOLE, 5) for share, _ in slots),
            tuple(round(took / 1000, 7) if took else None for _, took in slots),
        )

    def _add(self, part: HistoryPart, subject: str, minute: int, sums: _Sums) -> None:
        known = self._series[part]
        series = known.get(subject)
        if series is None:
            if len(known) >= SERIES_LIMITS[part]:
                del known[min(known, key=lambda name: known[name].current)]
            series = known[subject] = _Series(minute)
        if part is not HistoryPart.PAIR or sums.lost:
            series.current = max(series.current, minute)
        series.add(minute, sums)

    def _add_way(self, source: str, target: str, minute: int, sums: _Sums) -> None:
        self._add(HistoryPart.NODE, source, minute, sums)
        if target == source:
            return
        self._add(HistoryPart.NODE, target, minute, sums)
        pair = f"{source}>{target}"
        if sums.lost or pair in self._series[HistoryPart.PAIR]:
            self._add(HistoryPart.PAIR, pair, minute, sums)

    def _forget(self, minute: int) -> None:
        """Drop the series of which nothing is known for a day, and all where the clock was set back by more than that
        what an agent may report late."""
        if minute < self._minute - _LATE:
            self._series = {part: {} for part in HistoryPart}
        self._minute = minute
        for part, known in self._series.items():
            self._series[part] = {
                name: series for name, series in known.items() if series.current > minute - HISTORY_MINUTES
            }


def _by_minute(news: NewTrials, behind: float, newest: int) -> dict[int, _Sums]:
    """Return the trials that tell something as sums by minute, without those of the future and of long ago."""
    found: dict[int, _Sums] = {}
    took = time_taken(news.latest)
    for trial in news.trials:
        health = trial.health
        minute = int((trial.at + behind) // 60)
        if health is Health.UNKNOWN or not newest - _LATE < minute <= newest:
            continue
        sums = found.get(minute)
        if sums is None:
            sums = found[minute] = _Sums()
        sums.sent += trial.sent
        if health is Health.BAD:
            sums.lost += trial.sent
            continue
        sums.lost += max(0, trial.sent - trial.received)
        if rtt := trial.rtt or (took if trial.at == news.latest.at else 0.0):
            sums.took += rtt
            sums.answers += 1
    return found
