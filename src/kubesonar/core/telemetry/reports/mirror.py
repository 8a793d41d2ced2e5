"""Makes one agent's snapshot again of its reports, for a collector."""

from __future__ import annotations

import msgspec

from kubesonar.core.telemetry.ledger import window, window_of
from kubesonar.core.telemetry.reports.report import EdgeReport, Report, latest_reported
from kubesonar.core.telemetry.reports.short_history import NewTrials
from kubesonar.core.telemetry.trial_memory import PAST
from kubesonar.model import SCHEMA, Check, Edge, Member, Minute, Observation, Roster, Snapshot, Trial

MOST_TRIALS = 256
"""Most trials kept of one edge, as many as a ledger keeps by default. Fewer, and faint loss is seen later than by the
agent; more, and one agent can make the collector keep more."""

MOST_MIRRORED = 8192
"""Most edges kept of one agent, as many as a ledger keeps by default. Fewer, and a large agent is known in part."""

MOST_MINUTES = 20
"""Most minutes kept of the past of one edge: those of a quarter of an hour, and some that a clock passed twice. More,
and an agent that invents some makes the collector keep them."""

_NEVER = float("inf")


class _MirroredEdge(msgspec.Struct):
    """An edge as the reports told it, None where only its check is kept; `made` counts the trials that the agent made
    of it."""

    check: Check
    edge: Edge | None
    made: int


class Mirror:
    """One life of one agent (one epoch of a member). Reports come in order; `take` them, and ask for a `snapshot`.

    `seen` is when the last report came (seconds of the collector's clock), `behind` what to add to the agent's times
    to have the collector's, `report` the last report without its edges, `sequence` the number of the last one that
    told of edges. With `edges` False only what receipts need is kept of them, and snapshots have none."""

    def __init__(self, report: Report, now: float, *, edges: bool = True) -> None:
        self.report = _without_contents(report)
        self.seen = now
        self.behind = now - report.head.at
        self.sequence = 0
        self._roster = Roster("", ())
        self._keeps_edges = edges
        self._edges: dict[int, _MirroredEdge] = {}

    @property
    def member(self) -> Member:
        """The agent as it last called itself."""
        return self.report.head.member

    def take(self, report: Report, roster: Roster, now: float) -> list[NewTrials] | None:
        """Take a report that came at `now`, with the roster that its digest stands for. Return the trials that are new,
        or None where it builds on one that is not known here: then a whole one is needed. One that came before changes
        nothing."""
        if report.base > self.sequence:
            return None
        self.seen, self.behind, self._roster = now, now - report.head.at, roster
        if report.sequence <= self.sequence:
            return []
        fresh: list[NewTrials] = []
        if not report.withheld:
            if report.base == 0:
                self._edges.clear()
            if not all(self._told(told, report, fresh) for told in report.edges):
                return None
            for number in report.gone:
                self._edges.pop(number, None)
            self.sequence = report.sequence
        head = report.head
        if head.facts is None:
            head = msgspec.structs.replace(head, facts=self.report.head.facts)
        self.report = msgspec.structs.replace(_without_contents(report), head=head)
        return fresh

    def not_after(self, now: float) -> None:
        """Take the last report to have come at `now` where it came later: the collector's clock was set back since."""
        ahead = max(0.0, self.seen - now)
        self.seen -= ahead
        self.behind -= ahead

    def snapshot(self, at: float) -> Snapshot:
        """Return what the agent would say at `at` (seconds of the collector's clock), if nothing had happened since its
        last report, without the sums over the short window and with those over the long one as they were then: to
        make them anew costs the most (see `summed`)."""
        edges = tuple(mirrored.edge for mirrored in self._edges.values() if mirrored.edge is not None)
        return msgspec.structs.replace(
            self.report.head,
            schema=SCHEMA,
            at=at - self.behind,
            roster=self._roster,
            edges=edges,
            withheld=self.report.withheld,
        )

    def _told(self, told: EdgeReport, report: Report, fresh: list[NewTrials]) -> bool:
        """Take what changed of an edge, unless there are too many, and add its new trials to `fresh`; return False for
        one whose check was never told."""
        known = self._edges.get(told.number)
        if known is None and len(self._edges) >= MOST_MIRRORED:
            return True
        check = told.check or (known.check if known is not None else None)
        if check is None:
            return False
        edge = told.edge
        new = edge.trials if known is None else edge.trials[max(0, known.made - told.first) :]
        latest = latest_reported(edge.latest, check, report.head.member.name)
        fresh.append(NewTrials(check, latest, new))
        mirrored = _grown(known.edge if known is not None else None, told, latest, new) if self._keeps_edges else None
        self._edges[told.number] = _MirroredEdge(check, mirrored, told.first + len(edge.trials))
        return True


def _without_contents(report: Report) -> Report:
    """Return a report without all that may be large."""
    return msgspec.structs.replace(report, edges=(), gone=(), roster=None, levels=None, held="")


def summed(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot of a mirror with the sums over both windows and the past as of its time. It may be called in
    a thread."""
    edges = tuple(_with_windows(edge, snapshot.at) for edge in snapshot.edges)
    return msgspec.structs.replace(snapshot, edges=edges)


def _grown(known: Edge | None, told: EdgeReport, latest: Observation, new: tuple[Trial, ...]) -> Edge:
    """Return an edge with what a report told of it besides what was known."""
    trials, past = (known.trials, known.past) if known is not None else ((), ())
    most = min(told.kept, MOST_TRIALS)
    trials = (*trials, *new)[-most:] if most else ()
    return msgspec.structs.replace(
        told.edge,
        latest=latest,
        long=window_of(trials, told.edge.long.span),
        trials=trials,
        past=_merged(past, told.edge.past, told.oldest),
    )


def _merged(known: tuple[Minute, ...], told: tuple[Minute, ...], oldest: float) -> tuple[Minute, ...]:
    """Return the minutes known before, as far as they are remembered and not told again, and those that were told."""
    until = told[0].at if told else _NEVER
    return (*(minute for minute in known if oldest <= minute.at < until), *told)[-MOST_MINUTES:] if oldest else ()


def _with_windows(edge: Edge, now: float) -> Edge:
    trials = list(edge.trials)
    return msgspec.structs.replace(
        edge,
        short=window(trials, now, edge.short.span),
        long=window(trials, now, edge.long.span),
        past=tuple(minute for minute in edge.past if minute.at >= now - PAST),
    )
