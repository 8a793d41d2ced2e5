"""Loss and round trip by the minute as plots: before, during and after an incident, or of the last day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from kubesonar.core.telemetry.reports.short_history import HISTORY_MINUTES, HistoryPart, HistorySeries, ShortHistory
from kubesonar.model import Finding, Member
from kubesonar.views.labels import duration, share
from kubesonar.views.page.moments import Moment, PageTimes

_DAY = 60.0 * HISTORY_MINUTES
_AROUND = 600.0
"""Least seconds shown before and after an incident. Fewer, and there is nothing to compare it with."""

_HALF = 0.5
"""Times its own duration that is shown before and after a longer incident."""

_MOST = 4
"""Most plots of one incident."""

_LEAST_LOSS = 0.01
"""Least share at the top of a plot of loss. Less, and a lost packet looks like an outage."""

_ROOM = 1.1
"""Times the greatest value that a plot reaches up to."""


class PlotCurve(msgspec.Struct, frozen=True):
    """One curve: points of its pieces ("x,y x,y", 0 to 100 from the upper left), and what its top stands for. `worst`
    says its range in words."""

    look: str
    label: str
    pieces: tuple[str, ...]
    top: str
    worst: str


class Plot(msgspec.Struct, frozen=True):
    """Curves of one subject from `begin` to `end`; `shade` and `shade_width` are where an incident was, in percent of
    the width (0: nowhere)."""

    title: str
    begin: Moment
    end: Moment
    shade: float
    shade_width: float
    curves: tuple[PlotCurve, ...]


def incident_plots(
    finding: Finding,
    since: float,
    closed: float | None,
    history: ShortHistory,
    members: Mapping[str, Member],
    now: float,
    times: PageTimes,
) -> tuple[Plot, ...]:
    """Return plots of what an incident is about, as far as the last day reaches; `members` are all by name."""
    until = now if closed is None else closed
    around = max(_AROUND, _HALF * (until - since))
    begin, end = max(now - _DAY, since - around), min(now, until + around)
    found = (
        history.series(*key, begin)
        for subject in _subjects(finding, members)
        for part in HistoryPart
        for key in history.subjects(part, subject)
    )
    plots = (_plot(series, begin, end, (since, until), now, times) for series in found if begin < end)
    return tuple(plot for plot, _ in zip((plot for plot in plots if plot is not None), range(_MOST), strict=False))


def day_plots(subject: str, history: ShortHistory, now: float, times: PageTimes) -> tuple[Plot, ...]:
    """Return the plots of the last day of a node or target of that name."""
    keys = (key for part in (HistoryPart.NODE, HistoryPart.TARGET) for key in history.subjects(part, subject))
    begin = now - _DAY
    plots = (_plot(history.series(*key, begin), begin, now, None, now, times) for key in keys)
    return tuple(plot for plot in plots if plot is not None)


def _subjects(finding: Finding, members: Mapping[str, Member]) -> list[str]:
    """Return what there may be series of: the way and its way back, then the nodes and targets that are named."""
    ends = [
        members[end].node if end in members else end for end in finding.subject.partition(" ")[0].split(">", 1) if end
    ]
    ways = [">".join(ends), ">".join(ends[::-1])] if len(ends) > 1 else []
    return list(dict.fromkeys([*ways, *ends]))


def _plot(
    series: HistorySeries, begin: float, end: float, over: tuple[float, float] | None, now: float, times: PageTimes
) -> Plot | None:
    """Return the plot of a series, None where nothing was measured in that time."""

    def curve(
        look: str, label: str, values: Sequence[float | None], least: float, said: Callable[[float], str]
    ) -> PlotCurve | None:
        points = [
            (series.start + 60.0 * minute + 30.0, value)
            for minute, value in enumerate(values)
            if begin - 60.0 <= series.start + 60.0 * minute <= end
        ]
        known = [value for _, value in points if value is not None]
        if not known:
            return None
        top = max(least, _ROOM * max(known))
        pieces = _pieces([(100.0 * (at - begin) / (end - begin), value) for at, value in points], top, end - begin)
        low, high = said(min(known)), said(max(known))
        return PlotCurve(look, label, pieces, said(top), low if low == high else f"{low} to {high}")

    curves = (
        curve("loss", "lost", series.loss, _LEAST_LOSS, share),
        curve("trip", "round trip", series.rtt, 0.0, duration),
    )
    shown = tuple(one for one in curves if one is not None)
    if not shown:
        return None
    shade = (0.0, 0.0) if over is None else _shade(*over, begin, end)
    return Plot(
        series.subject.replace(">", " \N{RIGHTWARDS ARROW} "),
        times.moment(begin, now),
        times.moment(end, now),
        *shade,
        shown,
    )


def _pieces(points: Iterable[tuple[float, float | None]], top: float, span: float) -> tuple[str, ...]:
    """Return the points of each unbroken piece; one that is alone is as wide as its minute."""
    half = 100.0 * 30.0 / span
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, value in points:
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((min(100.0, max(0.0, x)), 100.0 - 100.0 * value / top))
    wide = (
        [(max(0.0, piece[0][0] - half), piece[0][1]), (min(100.0, piece[0][0] + half), piece[0][1])]
        if len(piece) == 1
        else piece
        for piece in pieces
        if piece
    )
    return tuple(" ".join(f"{x:.2f},{y:.1f}" for x, y in piece) for piece in wide)


def _shade(since: float, until: float, begin: float, end: float) -> tuple[float, float]:
    left = max(0.0, 100.0 * (since - begin) / (end - begin))
    right = min(100.0, 100.0 * (until - begin) / (end - begin))
    return round(left, 2), round(max(0.5, right - left), 2)
