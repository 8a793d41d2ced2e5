"""Incidents at a terminal: when each began and ended, how bad it was, its sentence, and what was told of it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType

from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeRecord
from kubesonar.views.labels import lasting
from kubesonar.views.terminal.verdict import TextLine, TimeOfDay

_MOST_NOTICES = 8
"""Most notices that are listed of one incident, the latest. More, and one that flapped hides the others; fewer, and how
it came and went is not seen."""

_WAITS = " (not delivered yet)"


def history_view(
    records: Sequence[IncidentRecord], notices: Sequence[NoticeRecord], now: float, since: str, clock: TimeOfDay
) -> RenderableType:
    """Render incidents, each with the notices about it, and between them the notices that are about no incident and
    repeat none, in the order in which all that began. Both come oldest first; `since` is how far back they were asked
    for, in the user's words."""
    shown = {record.id for record in records}
    parts = [(record.opened, _incident(record, notices, now, clock)) for record in records]
    parts += [
        (one.notice.at, _notice(one, clock)) for one in notices if not one.same and one.notice.incident not in shown
    ]
    lines = [line for _, part in sorted(parts, key=lambda part: part[0]) for line in part]
    if not records:
        lines.insert(0, TextLine("", f"no incident in the last {since}", "bold green"))
    return Group(*lines)


def _incident(
    record: IncidentRecord, notices: Sequence[NoticeRecord], now: float, clock: TimeOfDay
) -> list[RenderableType]:
    finding = record.finding
    if record.closed is None:
        when, style = f"since {clock(record.since)} ({lasting(now - record.since)})", "bold red"
    else:
        when, style = f"{clock(record.since)} to {clock(record.closed)} ({lasting(record.closed - record.since)})", ""
    back = f", came back {'once' if record.returns == 1 else f'{record.returns} times'}" if record.returns else ""
    told = [
        f"{one.notice.what.value} {clock(one.notice.at)}{_waits(one)}"
        for one in notices
        if one.notice.incident == record.id
    ]
    before = [f"{len(told) - _MOST_NOTICES} earlier"] if len(told) > _MOST_NOTICES else []
    listed = ", ".join([*before, *told[-_MOST_NOTICES:]])
    return [
        TextLine("", f"{when}  {finding.severity}{back}  [{record.id}]", style),
        TextLine("    ", finding.sentence),
        *([TextLine("    ", f"notices: {listed}", "dim")] if listed else []),
    ]


def _notice(record: NoticeRecord, clock: TimeOfDay) -> list[RenderableType]:
    notice = record.notice
    return [
        TextLine("", f"{clock(notice.at)}  notice: {notice.what.value}{_waits(record)}", "cyan"),
        TextLine("    ", notice.sentence),
    ]


def _waits(record: NoticeRecord) -> str:
    return _WAITS if record.delivered is None else ""
