"""Makes an agent's reports to one collector: the ledger is the buffer, and only counts are kept beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from kubesonar.core.telemetry.ledger import EdgeKey, Ledger
from kubesonar.core.telemetry.reports.held_records import HeldRecords
from kubesonar.core.telemetry.reports.report import (
    REPORT_SCHEMA,
    EdgeReport,
    Receipt,
    Report,
    digest_of,
    edge_reported,
    turned_bad,
)
from kubesonar.core.telemetry.service_levels import LatencyLog
from kubesonar.model import Check, Fault, NodeFacts, Observation, Roster, Snapshot

_NO_ROSTER = Roster("", ())
_MOST_UNHEARD = 10_000
"""Most edges of reports whose receipts did not come; beyond, the next report takes nothing as known. More, and an agent
whose targets change while no collector answers takes memory; fewer, and a large one tells everything again."""

_ALL = 1 << 32
"""More trials than any edge has."""


class _Made:
    __slots__ = ("fault", "number", "trials")

    def __init__(self, number: int) -> None:
        self.number = number
        self.trials = 0
        self.fault: Fault | None = None


class ReportLog:
    """An instrument that counts each edge's trials, and how long answers took, for all collectors together. `urgent` is
    called with the first bad observation of an edge after good ones."""

    def __init__(self, ledger: Ledger, urgent: Callable[[], None]) -> None:
        self.made: dict[EdgeKey, _Made] = {}
        self.latencies = LatencyLog()
        self._ledger = ledger
        self._urgent = urgent
        self._numbers = 0
        self._roster = ledger.roster
        self._digest = digest_of(ledger.roster)
        ledger.register(self)

    def add(self, observation: Observation) -> None:
        """Count one trial of its edge."""
        self.latencies.add(observation)
        key = (observation.side, observation.check.id)
        made = self.made.get(key)
        if made is None:
            self._numbers += 1
            made = self.made[key] = _Made(self._numbers)
        made.trials += 1
        if turned_bad(made.fault, observation):
            self._urgent()
        made.fault = observation.fault

    def forget(self) -> None:
        """Drop the counts of edges that the ledger does not keep."""
        keys = self._ledger.keys()
        for key in self.made.keys() - keys:
            del self.made[key]

    def roster(self) -> tuple[Roster, str]:
        """Return the roster in force and its digest."""
        if self._ledger.roster is not self._roster:
            self._roster = self._ledger.roster
            self._digest = digest_of(self._roster)
        return self._roster, self._digest


class _Told(NamedTuple):
    """The part of an edge that a report told: its number, how many trials it had then, its last minute, and its
    check."""

    number: int
    trials: int
    minute: float
    check: Check | None


class Outgoing:
    """The reports for one collector, in order and one at a time: make a `report`, deliver it, and hand its receipt to
    `received`. What was not received is in the next report again, as far as the ledger still has it. `dropped` counts
    trials that it has not. `held` is what this agent holds for the next coordinator; None: it holds nothing."""

    def __init__(self, ledger: Ledger, log: ReportLog, held: HeldRecords | None = None) -> None:
        self.dropped = 0
        self._held = held or HeldRecords()
        self._ledger = ledger
        self._log = log
        self._sequence = 0
        self._received = 0
        self._known: dict[EdgeKey, _Told] = {}
        self._said: dict[EdgeKey, _Told] = {}
        self._unheard: set[int] = set()
        self._lost = 0
        self._facts: NodeFacts | None = None
        self._facts_said: NodeFacts | None = None
        self._asked_roster = False

    def report(self, head: Snapshot, interval: float, withheld: int = 0) -> Report:
        """Return the report of what is new; `head` is the agent's snapshot now, of which edges and roster do not count.
        With `withheld`, the size of a report that did not get through, it leaves out all edges."""
        self._log.forget()
        if len(self._unheard) > _MOST_UNHEARD:
            self._begin_anew()
        roster, digest = self._log.roster()
        self._sequence += 1
        self._said, self._lost = dict(self._known), 0
        self._facts_said = head.facts
        facts = head.facts if head.facts != self._facts else None
        return Report(
            schema=REPORT_SCHEMA,
            sequence=self._sequence,
            base=self._received,
            interval=interval,
            digest=digest,
            head=msgspec.structs.replace(head, edges=(), roster=_NO_ROSTER, facts=facts),
            edges=() if withheld else tuple(self._edges(head.at)),
            gone=() if withheld else tuple(self._gone()),
            dropped=self.dropped + self._lost,
            withheld=withheld,
            roster=roster if self._asked_roster else None,
            levels=self._log.latencies.levels(),
            holds=self._held.digest,
            held="" if self._received or withheld else self._held.text,
        )

    def received(self, receipt: Receipt) -> bool:
        """Take the receipt of the last report; return whether the next one is wanted at once."""
        self._asked_roster = receipt.roster
        if receipt.keep:
            self._held.hold(receipt.keep)
        if receipt.whole:
            self._begin_anew()
        elif receipt.sequence == self._sequence:
            self._received, self._known, self._facts = receipt.sequence, self._said, self._facts_said
            self._unheard.clear()
            self.dropped += self._lost
        return receipt.whole or receipt.roster

    def _begin_anew(self) -> None:
        """Let the next report take nothing as known."""
        self._received, self._known, self._facts = 0, {}, None
        self._unheard.clear()

    def _edges(self, now: float) -> Iterator[EdgeReport]:
        for key, made in self._log.made.items():
            known = self._known.get(key)
            if known is None or known.number != made.number:  # forgotten and made anew
                known = _Told(made.number, 0, 0.0, None)
            new = made.trials - known.trials
            recent = self._ledger.recent(key, now, new if known.check else _ALL, known.minute) if new else None
            if recent is None:
                continue
            edge, told = recent.edge, len(recent.edge.trials)
            if known.check:
                self._lost += new - told
            minute = edge.past[-1].at if edge.past else known.minute
            self._unheard.add(made.number)
            self._said[key] = _Told(made.number, made.trials, minute, edge.latest.check)
            yield edge_reported(made.number, max(0, made.trials - told), recent, known=known.check)

    def _gone(self) -> Iterator[int]:
        """Yield the numbers that were told, or may have been, and are no more; forget them."""
        for key in self._known.keys() - self._log.made.keys():
            del self._said[key]
        told = self._unheard.union(known.number for known in self._known.values())
        yield from sorted(told - {made.number for made in self._log.made.values()})
