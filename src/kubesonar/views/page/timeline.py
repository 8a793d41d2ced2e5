"""Incidents, expected changes and notices on one axis, so that cause and effect are seen together."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.telemetry.state_log import StateSpan
from kubesonar.model import Notice
from kubesonar.views.labels import lasting
from kubesonar.views.page.links import percent_encoded
from kubesonar.views.page.moments import Moment, PageTimes

HOURS = (1, 6, 24, 168, 720)
"""Lengths of the axis that the page offers, in hours."""

_TICKS = 6
"""Parts of the axis between its marks. More, and their texts overlap on a phone."""

_ROWS = 12
"""Most rows of bars of one kind; what does not fit is in the list only."""

_EVENTS = 300
"""Most events that are listed, the latest first."""

_LEAST = 0.35
"""Least width of a bar, in percent of the axis. Less, and a short incident cannot be seen or pointed at."""


class TimelineBar(msgspec.Struct, frozen=True):
    """Something that lasted: where it begins and how long it is in percent of the axis, and its row in its lane."""

    start: float
    width: float
    row: int
    look: str
    title: str
    href: str


class TimelineLane(msgspec.Struct, frozen=True):
    """Bars of one kind, in `rows` rows."""

    label: str
    rows: int
    bars: tuple[TimelineBar, ...]
    hidden: int


class TimelineTick(msgspec.Struct, frozen=True):
    """A mark of the axis: its place in percent and its time."""

    place: float
    text: str


class DayLane(msgspec.Struct, frozen=True):
    """The incidents of 24 hours on their axis."""

    ticks: tuple[TimelineTick, ...]
    lane: TimelineLane


class TimelineEvent(msgspec.Struct, frozen=True):
    """One incident, expected change or notice, as a line."""

    kind: str
    at: Moment
    lasting: str
    sentence: str
    look: str
    href: str


class TimelineModel(msgspec.Struct, frozen=True):
    """The last `hours`: what happened, drawn and listed."""

    hours: int
    ticks: tuple[TimelineTick, ...]
    lanes: tuple[TimelineLane, ...]
    events: tuple[TimelineEvent, ...]
    more: int


class _Span(msgspec.Struct, frozen=True):
    kind: str
    look: str
    since: float
    until: float | None
    sentence: str
    href: str = ""


def timeline_model(
    records: Iterable[IncidentRecord],
    states: Iterable[StateSpan],
    notices: Iterable[Notice],
    hours: int,
    now: float,
    times: PageTimes,
) -> TimelineModel:
    """Return what happened in the last `hours` before `now` (Unix seconds)."""
    begin = now - 3600.0 * hours
    groups = {
        "incidents": [_incident(record) for record in records],
        "expected changes": [_change(span) for span in states],
        "notices": [_notice(notice) for notice in notices],
    }
    seen = {
        label: [span for span in spans if (now if span.until is None else span.until) >= begin]
        for label, spans in groups.items()
    }
    listed = sorted((span for spans in seen.values() for span in spans), key=lambda span: -span.since)
    return TimelineModel(
        hours=hours,
        ticks=_ticks(begin, now, times),
        lanes=tuple(_lane(label, spans, begin, now) for label, spans in seen.items()),
        events=tuple(_event(span, now, times) for span in listed[:_EVENTS]),
        more=max(0, len(listed) - _EVENTS),
    )


def day_lane(records: Iterable[IncidentRecord], now: float, times: PageTimes) -> DayLane:
    """Return the incidents of the 24 hours before `now` (Unix seconds)."""
    begin = now - 86_400.0
    spans = [_incident(record) for record in records if record.closed is None or record.closed >= begin]
    return DayLane(_ticks(begin, now, times), _lane("incidents", spans, begin, now))


def _ticks(begin: float, now: float, times: PageTimes) -> tuple[TimelineTick, ...]:
    """Return the marks of an axis, without their seconds."""
    places = [begin + step * (now - begin) / _TICKS for step in range(_TICKS + 1)]
    return tuple(
        TimelineTick(100.0 * step / _TICKS, times.moment(at, now).text.rpartition(":")[0])
        for step, at in enumerate(places)
    )


def _incident(record: IncidentRecord) -> _Span:
    look = f"s-{record.finding.severity.value}" + ("" if record.closed is not None else " open")
    return _Span("incident", look, record.since, record.closed, record.finding.sentence, f"/incidents/{record.id}")


def _change(span: StateSpan) -> _Span:
    why = f": {span.reason}" if span.reason else ""
    words = f"{span.place} {span.state.value.replace('_', ' ')}{why}"
    return _Span("change", "change", span.since, span.until, words, f"/nodes/{percent_encoded(span.place)}")


def _notice(notice: Notice) -> _Span:
    return _Span("notice", "notice", notice.at, notice.at, notice.sentence)


def _lane(label: str, spans: Iterable[_Span], begin: float, now: float) -> TimelineLane:
    """Put each span into the first row that is free when it begins."""
    free: list[float] = []
    bars: list[TimelineBar] = []
    hidden = 0
    for span in sorted(spans, key=lambda span: span.since):
        start = max(0.0, 100.0 * (span.since - begin) / (now - begin))
        end = 100.0 if span.until is None else 100.0 * (span.until - begin) / (now - begin)
        start = min(start, 100.0 - _LEAST)
        width = max(_LEAST, end - start)
        row = next((row for row, until in enumerate(free) if until <= start), len(free))
        if row >= _ROWS:
            hidden += 1
            continue
        free[row : row + 1] = [start + width]
        bars.append(TimelineBar(round(start, 2), round(width, 2), row, span.look, span.sentence, span.href))
    return TimelineLane(label, len(free), tuple(bars), hidden)


def _event(span: _Span, now: float, times: PageTimes) -> TimelineEvent:
    if span.kind == "notice":
        long = ""
    elif span.until is None:
        long = f"{lasting(now - span.since)}, goes on"
    else:
        long = lasting(span.until - span.since)
    return TimelineEvent(span.kind, times.moment(span.since, now), long, span.sentence, span.look, span.href)
