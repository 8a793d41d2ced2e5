"""A look at DNS at a terminal: the verdict, a row for each server, and what could not be told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kubesonar.core.dns_check.questions import AskedServer, AskPurpose
from kubesonar.core.dns_check.results import DnsLook, DnsOutcome, DnsResult, DnsVerdict
from kubesonar.core.dns_check.states import OWN_NAMES
from kubesonar.model import Severity, clip
from kubesonar.views.terminal.verdict import STYLES, TextLine, points

_NAME = 80
_COLUMNS = ("server", "address", "node", "by UDP", "by TCP", "outside", "large", "pairs")


def dns_view(look: DnsLook, verdict: DnsVerdict) -> RenderableType:
    """Render the sentence, the other findings, the table, and what could not be told."""
    return Group(
        TextLine("", verdict.sentence, STYLES.get(verdict.health, "bold")),
        *_findings(verdict),
        Text(""),
        _table(look),
        Text(""),
        *points("unknown", verdict.unknown, "yellow"),
        TextLine("", f"asked from standpoint {look.vantage}: {look.why}", "dim"),
    )


def _findings(verdict: DnsVerdict) -> Iterator[RenderableType]:
    for finding in verdict.findings:
        if finding.sentence not in verdict.sentence:
            yield TextLine(
                f"  {finding.severity}  ", finding.sentence, "" if finding.severity is Severity.INFO else "red"
            )


def _table(look: DnsLook) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    servers = dict.fromkeys(result.server for result in look.results)
    rows = [[*_row(server, [one for one in look.results if one.server == server])] for server in servers]
    for heading, cells in zip(_COLUMNS, zip(*rows, strict=True), strict=True):
        if any(cell.plain for cell in cells):  # the whole text, also where it is piped and a line may be long
            table.add_column(heading, no_wrap=True, min_width=max(len(heading), *(len(cell) for cell in cells)))
    for row in rows:
        table.add_row(
            *(cell for cell, column in zip(row, zip(*rows, strict=True), strict=True) if any(map(len, column)))
        )
    return table


def _row(server: AskedServer, results: Sequence[DnsResult]) -> Iterator[Text]:
    for word in (server.name, server.address, server.node):
        yield Text(clip(word, _NAME))
    own = [one for one in results if one.ask.purpose in OWN_NAMES]
    yield _cell([one for one in own if not one.ask.tcp])
    yield _cell([one for one in own if one.ask.tcp])
    for purpose in (AskPurpose.OUTSIDE, AskPurpose.LARGE, AskPurpose.PAIR):
        yield _cell([one for one in results if one.ask.purpose is purpose])


def _cell(results: Sequence[DnsResult]) -> Text:
    """Return the median time of good answers, or the outcome of the first question that has no good one."""
    if not results:
        return Text("")
    bad = [one for one in results if one.outcome is not DnsOutcome.GOOD]
    if bad:
        share = "" if len(bad) == len(results) else f" {len(bad)}/{len(results)}"
        style = "yellow" if bad[0].outcome in (DnsOutcome.LOCAL, DnsOutcome.CASE_CHANGED) else "bold red"
        return Text(bad[0].outcome.value.replace("_", " ") + share, style)
    return Text(f"{median(one.took for one in results) * 1000:.1f} ms", "green")
