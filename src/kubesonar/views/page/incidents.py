"""One incident: as a line of a list, and in full with its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.telemetry.reports.short_history import ShortHistory
from kubesonar.model import Member
from kubesonar.views.labels import confidence_words, lasting
from kubesonar.views.page.links import Link, place_link
from kubesonar.views.page.moments import Moment, PageTimes
from kubesonar.views.page.plots import Plot, incident_plots
from kubesonar.views.page.runbooks import runbook_link

_OBSERVERS = 3
"""Most observers named in a line. More, and the line hides its sentence."""


class IncidentLine(msgspec.Struct, frozen=True):
    """An incident in a list: `since` when, `until` when (None while it is open), for how long, how `sure`, and which
    observers saw it."""

    id: str
    severity: str
    sentence: str
    what: str
    since: Moment
    until: Moment | None
    lasting: str
    sure: str
    returns: int
    observers: tuple[str, ...]
    more_observers: int


class ChangeLine(msgspec.Struct, frozen=True):
    """A change of an incident: what became of it, when, and its sentence then; empty where it is that of the line
    before."""

    at: Moment
    became: str
    sentence: str


class IncidentModel(msgspec.Struct, frozen=True):
    """An incident in full. `places` are the nodes and targets that it is about, `plots` those of them and of the ways
    between them, `runbook` the page that says what to do, None for a part of a newer version."""

    line: IncidentLine
    places: tuple[Link, ...]
    changes: tuple[ChangeLine, ...]
    evidence: tuple[str, ...]
    against: tuple[str, ...]
    observers: tuple[str, ...]
    alike: tuple[str, ...]
    rivals: tuple[str, ...]
    because: tuple[str, ...]
    confirm: str
    runbook: Link | None
    plots: tuple[Plot, ...]


def incident_line(record: IncidentRecord, now: float, times: PageTimes) -> IncidentLine:
    """Return a record as a line of a list."""
    finding = record.finding
    end = now if record.closed is None else record.closed
    names = tuple(one.partition(": ")[0] for one in finding.observers)
    return IncidentLine(
        id=record.id,
        severity=finding.severity.value,
        sentence=finding.sentence,
        what=f"{finding.part} {finding.subject}: {finding.fault}",
        since=times.moment(record.since, now),
        until=None if record.closed is None else times.moment(record.closed, now),
        lasting=lasting(end - record.since),
        sure=confidence_words(finding.confidence),
        returns=record.returns,
        observers=names[:_OBSERVERS],
        more_observers=max(0, len(names) - _OBSERVERS),
    )


def incident_model(
    record: IncidentRecord,
    members: Mapping[str, Member],
    targets: Iterable[str],
    history: ShortHistory,
    now: float,
    times: PageTimes,
) -> IncidentModel:
    """Return a record in full; `members` and `targets` by name are what its subject may be."""
    finding, known = record.finding, frozenset(targets)
    words = finding.subject.replace(">", " ").split(" ")
    places = (place_link(word, members, known) for word in dict.fromkeys(words))
    return IncidentModel(
        line=incident_line(record, now, times),
        places=tuple(place for place in places if place is not None),
        changes=tuple(_changes(record, now, times)),
        evidence=finding.evidence,
        against=finding.against,
        observers=finding.observers,
        alike=finding.alike,
        rivals=finding.rivals,
        because=finding.because,
        confirm=finding.confirm,
        runbook=runbook_link(finding.part),
        plots=incident_plots(finding, record.since, record.closed, history, members, now, times),
    )


def _changes(record: IncidentRecord, now: float, times: PageTimes) -> Iterable[ChangeLine]:
    said = ""
    for change in record.changes:
        yield ChangeLine(
            times.moment(change.at, now), change.became, change.sentence if change.sentence != said else ""
        )
        said = change.sentence
