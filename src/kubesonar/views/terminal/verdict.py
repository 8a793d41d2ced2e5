"""A verdict at a terminal. Colours only repeat what the words say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from kubesonar.core.diagnosis.incidents.casebook import IncidentChange
from kubesonar.model import Finding, Health, Verdict, clip
from kubesonar.views.labels import confidence_words

TimeOfDay = Callable[[float], str]
"""A function from Unix seconds to a time of day."""

STYLES = {Health.GOOD: "bold green", Health.BAD: "bold red", Health.UNKNOWN: "bold yellow"}

_SENTENCE = 1000
_LEAST_WIDTH = 20


class TextLine:
    """A paragraph with a hanging indent; one long line where nothing wraps."""

    def __init__(self, margin: str, text: str, style: str = "") -> None:
        self._margin = margin
        self._text = Text(clip(text, _SENTENCE), style)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.no_wrap:
            yield Text.assemble(self._margin, self._text)
            return
        margin = self._margin
        for line in self._text.wrap(console, max(_LEAST_WIDTH, options.max_width - len(margin))):
            yield Text.assemble(margin, line)
            margin = " " * len(margin)


def verdict_view(verdict: Verdict, clock: TimeOfDay) -> RenderableType:
    """Render the sentence, the findings with their evidence, what is unknown, and the excused members."""
    return Group(
        TextLine("", verdict.sentence, STYLES.get(verdict.verdict, "bold")),
        *_findings(verdict, clock),
        *_section("unknown", _not_said(verdict), "yellow"),
        *_section("excused", verdict.states, "cyan"),
        Text(""),
        TextLine("", f"{verdict.observers} of {verdict.members} members read at {clock(verdict.at)}", "dim"),
    )


def change_line(change: IncidentChange, at: float, clock: TimeOfDay) -> RenderableType:
    """Render what became of an incident: "05:33:01 opened (critical): no DNS server …"."""
    incident = change.incident
    until = f", since {clock(incident.since)}" if change.incident.closed is not None else ""
    return Text(
        clip(
            f"{clock(at)} {change.became.value} ({incident.finding.severity}){until}: {incident.finding.sentence}",
            _SENTENCE,
        )
    )


def headline(verdict: Verdict) -> RenderableType:
    """Render the sentence, those of up to three further findings, and one line each for unknown and excused: for a live
    view."""
    rest = (TextLine("  also  ", finding.sentence, "red") for finding in verdict.findings[1:4])
    unsaid = _not_said(verdict)
    more = f" (and {len(unsaid) - 1} more)" if len(unsaid) > 1 else ""
    unknown = [TextLine("  unknown  ", unsaid[0] + more, "yellow")] if unsaid else []
    excused = [TextLine("  excused  ", "; ".join(verdict.states[:3]), "cyan")] if verdict.states else []
    return Group(TextLine("", verdict.sentence, STYLES.get(verdict.verdict, "bold")), *rest, *unknown, *excused)


def _findings(verdict: Verdict, clock: TimeOfDay) -> Iterator[RenderableType]:
    for finding in verdict.findings:
        yield Text("")
        yield TextLine("", title(finding, clock), "bold")
        if len(verdict.findings) > 1:
            yield TextLine("  ", finding.sentence)
        yield from points("for", finding.evidence, "red")
        yield from points("against", finding.against, "green")
        yield from points("rather than", finding.rivals[:1], "green")
        yield from points("therefore", finding.because, "")


def title(finding: Finding, clock: TimeOfDay) -> str:
    """Return "node node-3: cut, since 05:32:57, 99 % sure, warning"."""
    began = "" if finding.since is None else f", since {clock(finding.since)}"
    sure = f"{confidence_words(finding.confidence)} sure"
    return f"{finding.part} {finding.subject}: {finding.fault}{began}, {sure}, {finding.severity}"


def points(label: str, lines: Iterable[str], style: str) -> Iterator[RenderableType]:
    """Render lines behind one label."""
    margin = f"  {label:<13}"
    for line in lines:
        yield TextLine(margin, line, style)
        margin = " " * len(margin)


def _not_said(verdict: Verdict) -> list[str]:
    """Return what is unknown, without what the sentence says itself."""
    return [line for line in verdict.unknown if line not in verdict.sentence]


def _section(name: str, lines: Sequence[str], style: str) -> Iterator[RenderableType]:
    if lines:
        yield Text("")
        yield from points(name, lines, style)
