"""Incidents at a terminal: when each began and ended, how bad it was, and its sentence."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType

from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.views.labels import lasting
from kubesonar.views.terminal.verdict import TextLine, TimeOfDay


def history_view(records: Sequence[IncidentRecord], now: float, since: str, clock: TimeOfDay) -> RenderableType:
    """Render incidents in their order; `since` is how far back they were asked for, in the user's words."""
    if not records:
        return TextLine("", f"no incident in the last {since}", "bold green")
    return Group(*(line for record in records for line in _incident(record, now, clock)))


def _incident(record: IncidentRecord, now: float, clock: TimeOfDay) -> list[RenderableType]:
    finding = record.finding
    if record.closed is None:
        when, style = f"since {clock(record.since)} ({lasting(now - record.since)})", "bold red"
    else:
        when, style = f"{clock(record.since)} to {clock(record.closed)} ({lasting(record.closed - record.since)})", ""
    back = f", came back {record.returns} times" if record.returns else ""
    return [
        TextLine("", f"{when}  {finding.severity}{back}  [{record.id}]", style),
        TextLine("    ", finding.sentence),
    ]
