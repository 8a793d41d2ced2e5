"""`kubesonar check`: is the network healthy? One sentence, the evidence, and an exit code (docs/check.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from kubesonar.apps import asking
from kubesonar.apps.gather import AgentAccess, assess
from kubesonar.apps.output import Color, console, print_to, write_json, write_svg
from kubesonar.apps.sources import sources_of
from kubesonar.apps.times import clock, utc_stamp
from kubesonar.config import ConfigError
from kubesonar.model import Health, Verdict
from kubesonar.views.answers import verdict_json
from kubesonar.views.terminal.verdict import verdict_view

EXIT_CODES = {Health.GOOD: 0, Health.BAD: 1}
"""Exit code of each verdict; that of any other verdict is 2."""

_AGAIN = 1.0
"""Seconds between two looks while waiting; shorter, and agents are asked for nothing new; longer, and the answer comes
that much later."""


def main(arguments: Sequence[str]) -> int:
    """Ask, judge and print; return 0 for good, 1 for bad, 2 for unknown or wrong usage. Raises ConfigError."""
    run = asking.parsed(check, arguments, "check")
    return run if isinstance(run, int) else run()


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
    color: Annotated[Color, typer.Option(help="Colours; auto heeds NO_COLOR.")] = Color.AUTO,
    svg: asking.MapPicture = None,
) -> Callable[[], int]:
    """Say in one sentence whether the network is healthy, and why. Exit code: 0 good, 1 bad, 2 unknown."""
    access = asking.access(token_file, ca_file, timeout, everybody)

    def run() -> int:
        verdict = asking.run_async(_waited(source or [], access, wait))
        if as_json:
            write_json(verdict_json(verdict, utc_stamp))
        else:
            print_to(console(color), verdict_view(verdict, clock))
        if svg:
            write_svg(verdict_view(verdict, clock), svg)
        return EXIT_CODES.get(verdict.verdict, 2)

    return run


async def _waited(given: Sequence[str], access: AgentAccess, wait: float) -> Verdict:
    """Return the first verdict that is not unknown, or the last one within `wait` seconds. Sources are looked for each
    time, because a lab that starts has no sockets yet."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    while True:
        left = until - loop.time()
        try:
            verdict = (await assess(sources_of(given), access)).verdict
        except ConfigError:
            if given or left <= 0:
                raise
        else:
            if verdict.verdict in EXIT_CODES or left <= 0:
                return verdict
        await asyncio.sleep(max(0.0, min(_AGAIN, until - loop.time())))
