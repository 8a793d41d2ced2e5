"""The wire format between an agent and a collector: a report says what changed since the last one that was received."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated

import msgspec

from kubesonar.core.decoding import decode_document
from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.ledger import RecentEdge
from kubesonar.core.telemetry.service_levels import ServiceLevels
from kubesonar.model import (
    Check,
    Count,
    Edge,
    Elapsed,
    Fault,
    Kind,
    Observation,
    Path,
    Roster,
    Snapshot,
    UnixTime,
)

REPORT_SCHEMA = 1
"""Version of reports and receipts; raised when a reader of the version before could misread one."""

REPORT_PATH = "/api/v1/reports"
"""The path at which a collector takes reports, by POST."""

MOST_EDGES = 100_000
"""Most edges in one report, as many as a ledger may keep. Fewer, and the report of a large agent is refused."""

_DIGEST = 32
"""Hex digits of a digest: 128 bits, so that two texts never share one by chance."""

MOST_KEPT = 256 << 10
"""Most characters that a coordinator has agents hold for its successor. More, and fifty agents send more to that at
once; fewer, and of many open incidents some get new ids when the coordinator changes."""

Sequence = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
"""The number of a report; JSON readers of other languages know whole numbers up to 2^53."""

_UNSAID = Check("", Kind.OTHER, Path.OTHER, "", "")


class EdgeReport(msgspec.Struct, frozen=True, array_like=True):
    """The changes of one edge. `number` stands for it in this agent's reports; `check` is given with the first of them
    and whenever it changes, else None. `edge.trials` are the new trials only, of which the first is the edge's trial
    number `first`, and `edge.past` the minutes from the last one that was told on; of all the agent keeps the last
    `kept` trials and the minutes from `oldest` on. The windows have a span and no sums, and the latest observation has
    neither check nor source."""

    number: Sequence
    check: Check | None
    first: Sequence
    kept: Count
    oldest: UnixTime
    edge: Edge


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """The changes at an agent since its report number `base` (0: nothing is taken as known, `edges` are all). `head` is
    the agent's snapshot without edges and roster, with its facts only where they changed. `digest` stands for the
    roster in force, which is given in `roster` once the collector asks for it. `gone` are the numbers of edges that are
    no more. `dropped` counts the trials that the ledger forgot before a report could be delivered; `withheld` is the
    size (bytes) of a report that did not get through, where this one leaves out all edges to be small, else 0.
    `interval` is the time (s) to the next. `levels` are what the agent counted since it began. `holds` stands for what
    a coordinator had it hold (`Receipt.keep`), which is given in `held` until this one has received a report."""

    schema: int
    sequence: Sequence
    base: Sequence
    interval: Elapsed
    digest: Annotated[str, msgspec.Meta(max_length=_DIGEST)]
    head: Snapshot
    edges: Annotated[tuple[EdgeReport, ...], msgspec.Meta(max_length=MOST_EDGES)] = ()
    gone: Annotated[tuple[Sequence, ...], msgspec.Meta(max_length=MOST_EDGES)] = ()
    dropped: Count = 0
    withheld: Count = 0
    roster: Roster | None = None
    levels: ServiceLevels | None = None
    holds: Annotated[str, msgspec.Meta(max_length=_DIGEST)] = ""
    held: Annotated[str, msgspec.Meta(max_length=MOST_KEPT)] = ""


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """The collector's answer: reports up to number `sequence` are received and need not be told again. `whole` asks for
    a report that takes nothing as known, `roster` for the roster; `interval` is the time (s) between two reports.
    `keep` is what the agent is to hold for the next coordinator, empty where it holds that already."""

    schema: int
    sequence: Sequence
    interval: Annotated[float, msgspec.Meta(ge=0.1, le=3600)]
    whole: bool = False
    roster: bool = False
    keep: Annotated[str, msgspec.Meta(max_length=MOST_KEPT)] = ""


def decode_report(body: bytes) -> Report | str:
    """Return the report in `body`, or the reason why there is none. Everything in it is a stranger's claim."""
    return decode_document(body, Report, REPORT_SCHEMA, "report")


def decode_receipt(body: bytes) -> Receipt | str:
    """Return the receipt in `body`, or the reason why there is none."""
    return decode_document(body, Receipt, REPORT_SCHEMA, "receipt")


def digest_of(roster: Roster) -> str:
    """Return what stands for a roster in reports: equal rosters have equal digests, others never."""
    return sha256(encode_json(roster)).hexdigest()[:_DIGEST]


def digest_of_kept(text: str) -> str:
    """Return what stands for a text that agents hold for the next coordinator; empty for an empty one."""
    return sha256(text.encode()).hexdigest()[:_DIGEST] if text else ""


def edge_reported(number: int, first: int, recent: RecentEdge, *, known: Check | None) -> EdgeReport:
    """Return the report of an edge whose trials begin with number `first`; `known` is the check as it was told last."""
    latest = recent.edge.latest
    check = None if latest.check == known else latest.check
    bare = msgspec.structs.replace(latest, check=_UNSAID, source="")
    edge = msgspec.structs.replace(recent.edge, latest=bare)
    return EdgeReport(number, check, first, recent.trials, recent.oldest, edge)


def latest_reported(latest: Observation, check: Check, source: str) -> Observation:
    """Return the latest observation of a report with its check and its source again."""
    return msgspec.structs.replace(latest, check=check, source=source)


def turned_bad(before: Fault | None, observation: Observation) -> bool:
    """Whether this observation is the first bad one after a good one: what a collector is told at once."""
    accuses = observation.fault is not None and observation.fault.accuses
    return accuses and observation.fault is not before
