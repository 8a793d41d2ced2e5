"""`kubesonar explain`: why a finding is held to be true (docs/check.md)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from kubesonar.apps.client import asking
from kubesonar.apps.client.check import EXIT_CODES
from kubesonar.apps.client.gather import AgentAccess, assess
from kubesonar.apps.client.output import Color, console, print_to
from kubesonar.apps.client.times import clock
from kubesonar.config import ConfigError
from kubesonar.model import Finding, Health, Verdict, clip
from kubesonar.views.terminal.explanation import explanation


def main(arguments: Sequence[str]) -> int:
    """Explain the findings asked for and return 0; where all are asked for and there are none, say so and return the
    exit code of the verdict. Raises ConfigError where there is none such."""
    return asking.run_parsed(explain, arguments, "explain")


def explain(
    finding: Annotated[
        str,
        typer.Argument(metavar="FINDING", help='Its part, its subject ("node-3"), an id of an incident, or "all".'),
    ],
    source: asking.Sources = None,
    everybody: asking.Everybody = None,
    token_file: asking.TokenFile = None,
    ca_file: asking.CaFile = None,
    timeout: asking.Timeout = 2.0,
    collector: asking.CollectorUrl = "",
    color: Annotated[Color, typer.Option(help="Colours; auto heeds NO_COLOR.")] = Color.AUTO,
) -> Callable[[], int]:
    """Show who saw what, which explanations were refuted and by how much, what follows, and a command to confirm it."""
    access = asking.access(token_file, ca_file, timeout, everybody, collector)

    def run() -> int:
        verdict, found = asking.run_async(_findings(source or [], access))
        chosen = [each for id, each in found if finding in ("all", id) or _is(each, finding)]
        if not chosen and finding == "all":
            well = verdict.verdict is Health.GOOD
            sys.stdout.write(f"{'nothing is wrong: ' if well else ''}{verdict.sentence}\n")
            return EXIT_CODES.get(verdict.verdict, 2)
        if not chosen:
            known = ", ".join(f'"{each.part} {each.subject}"' for _, each in found)
            expected = f"expected one of the findings: {known}" if known else f"but there is none: {verdict.sentence}"
            raise ConfigError(f'explain: got "{clip(finding, 80)}", {expected}')
        for each in chosen:
            print_to(console(color), explanation(each, clock))
        return 0

    return run


async def _findings(source: Sequence[str], access: AgentAccess) -> tuple[Verdict, list[tuple[str, Finding]]]:
    """Return the verdict and what is found now, each with an id; from a collector what was found lately too, the latest
    first. Raises ConfigError where the collector does not answer."""
    verdict = (await assess(asking.sources(source, access), access)).verdict
    if not access.collector:
        return verdict, [("", each) for each in verdict.findings]
    return verdict, [(record.id, record.finding) for record in await asking.incidents(access)]


def _is(finding: Finding, asked: str) -> bool:
    return asked in (finding.part, finding.subject, f"{finding.part} {finding.subject}")
