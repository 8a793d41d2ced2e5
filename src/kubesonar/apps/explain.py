"""`kubesonar explain`: why a finding is held to be true (docs/check.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from kubesonar.apps import asking
from kubesonar.apps.gather import assess
from kubesonar.apps.output import Color, console, print_to
from kubesonar.apps.sources import sources_of
from kubesonar.apps.times import clock
from kubesonar.config import ConfigError
from kubesonar.model import Finding
from kubesonar.views.terminal.explanation import explanation


def main(arguments: Sequence[str]) -> int:
    """Explain the findings asked for; return 0, or 2 where there is none such. Raises ConfigError."""
    run = asking.parsed(explain, arguments, "explain")
    return run if isinstance(run, int) else run()


def explain(
    finding: Annotated[str, typer.Argument(metavar="FINDING", help='Its part or subject: "node-3", "pair", "all".')],
    source: asking.Sources = None,
    everybody: asking.Everybody = None,
    token_file: asking.TokenFile = None,
    ca_file: asking.CaFile = None,
    timeout: asking.Timeout = 2.0,
    color: Annotated[Color, typer.Option(help="Colours; auto heeds NO_COLOR.")] = Color.AUTO,
) -> Callable[[], int]:
    """Show who saw what, which explanations were refuted and by how much, what follows, and a command to confirm it."""
    access = asking.access(token_file, ca_file, timeout, everybody)

    def run() -> int:
        verdict = asking.run_async(assess(sources_of(source or []), access)).verdict
        chosen = [each for each in verdict.findings if finding == "all" or _is(each, finding)]
        if not chosen:
            known = ", ".join(f'"{each.part} {each.subject}"' for each in verdict.findings) or "none"
            raise ConfigError(f'explain: got "{finding}", expected one of the findings: {known}')
        for each in chosen:
            print_to(console(color), explanation(each, clock))
        return 0

    return run


def _is(finding: Finding, asked: str) -> bool:
    return asked in (finding.part, finding.subject, f"{finding.part} {finding.subject}")
