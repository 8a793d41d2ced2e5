"""`kubesonar check`: is the network healthy? One sentence, the evidence, and an exit code (docs/check.md)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kubesonar.apps.client import asking
from kubesonar.apps.client.archive import read_archive
from kubesonar.apps.client.gather import AgentAccess, assess
from kubesonar.apps.client.live import REFRESH
from kubesonar.apps.client.output import Color, console, print_to, write_json, write_svg
from kubesonar.apps.client.times import clock, utc_stamp
from kubesonar.apps.client.watch import Watch
from kubesonar.config import ConfigError
from kubesonar.model import Health, Verdict
from kubesonar.views.answers import verdict_json
from kubesonar.views.terminal.verdict import change_line, verdict_view


class FailOn(StrEnum):
    """The severities that can make a check fail."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


_RANKS = {"info": 0, "warning": 1, "critical": 2, "other": 2}

EXIT_CODES = {Health.GOOD: 0, Health.BAD: 1}
"""Exit code of each verdict; that of any other verdict is 2."""

_AGAIN = 1.0
"""Seconds between two looks while waiting; shorter, and agents are asked for nothing new; longer, and the answer comes
that much later."""


def main(arguments: Sequence[str]) -> int:
    """Ask, judge and print; return 0 for good, 1 for bad, 2 for unknown or wrong usage. Raises ConfigError."""
    return asking.run_parsed(check, arguments, "check")


def check(
    source: asking.Sources = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    wait: Annotated[
        float,
        typer.Option(min=0, max=3600, metavar="SECONDS", help="Ask again so long while the answer is unknown."),
    ] = 0.0,
    everybody: asking.Everybody = None,
    token_file: asking.TokenFile = None,
    ca_file: asking.CaFile = None,
    timeout: asking.Timeout = 2.0,
    collector: asking.CollectorUrl = "",
    color: Annotated[Color, typer.Option(help="Colours; auto heeds NO_COLOR.")] = Color.AUTO,
    svg: asking.MapPicture = None,
    watching: Annotated[bool, typer.Option("--watch", help="Look again and again; a line for each change.")] = False,
    archive: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Judge what a support archive holds, and ask nobody."),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="The least severe finding that makes the exit code 1.")
    ] = FailOn.WARNING,
) -> Callable[[], int]:
    """Say in one sentence whether the network is healthy, and why. Exit code: 0 good, 1 bad, 2 unknown."""
    if archive is not None and (source or collector or watching or wait):
        raise ConfigError("--from: expected it alone, since nobody is asked")
    if watching and as_json:
        raise ConfigError("--watch and --json: expected one of them, not both")
    access = asking.access(token_file, ca_file, timeout, everybody, collector)

    def run() -> int:
        if watching:
            with contextlib.suppress(KeyboardInterrupt):
                asking.run_async(_watch(Watch(lambda: asking.sources(source or [], access), access), console(color)))
            return 0
        if archive is None:
            verdict = asking.run_async(_waited(source or [], access, wait))
        else:
            verdict = read_archive(archive).assessment().verdict
        if as_json:
            write_json(verdict_json(verdict, utc_stamp))
        else:
            print_to(console(color), verdict_view(verdict, clock))
        if svg:
            write_svg(verdict_view(verdict, clock), svg)
        return exit_code(verdict, fail_on)

    return run


def exit_code(verdict: Verdict, fail_on: FailOn) -> int:
    """Return 0 for good, and for bad where every finding is less severe than `fail_on`; else 1; 2 for unknown."""
    if verdict.verdict is Health.BAD and all(
        _RANKS[finding.severity] < _RANKS[fail_on] for finding in verdict.findings
    ):
        return 0
    return EXIT_CODES.get(verdict.verdict, 2)


async def _watch(watch: Watch, out: Console) -> None:
    """Print what becomes of incidents until cancelled, and the verdict whenever its health changes."""
    health: Health | None = None
    while True:
        seen = await watch.look()
        for change in watch.changes:
            out.print(change_line(change, seen.at, clock), soft_wrap=True)
        if seen.verdict.verdict is not health:
            health = seen.verdict.verdict
            out.print(f"{clock(seen.at)} {health}: {seen.verdict.sentence}", soft_wrap=True, markup=False)
        await asyncio.sleep(REFRESH)


async def _waited(given: Sequence[str], access: AgentAccess, wait: float) -> Verdict:
    """Return the first verdict that is not unknown, or the last one within `wait` seconds. Sources are looked for each
    time, because a lab that starts has no sockets yet."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    while True:
        left = until - loop.time()
        try:
            verdict = (await assess(asking.sources(given, access), access)).verdict
        except ConfigError:
            if given or left <= 0:
                raise
        else:
            if verdict.verdict in EXIT_CODES or left <= 0:
                return verdict
        await asyncio.sleep(max(0.0, min(_AGAIN, until - loop.time())))
