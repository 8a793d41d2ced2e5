"""`kubesonar check`: is the network healthy? One sentence, the evidence, and an exit code (docs/check.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from kubesonar.apps import asking
from kubesonar.apps.gather import Access
from kubesonar.apps.output import Color, console, print_to, write_json, write_svg
from kubesonar.apps.scene import judge_sources
from kubesonar.apps.sources import sources_of
from kubesonar.apps.times import clock, utc_stamp
from kubesonar.config import ConfigError
from kubesonar.model import Health, Verdict
from kubesonar.views.answers import verdict_json
from kubesonar.views.terminal.verdict import verdict_view

EXIT_CODES = {Health.GOOD: 0, Health.BAD: 1}
"""Exit code of each verdict; 2 of what is neither."""

_AGAIN = 1.0
"""Seconds between two looks while waiting."""


class CheckRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for."""

    sources: list[str]
    access: Access
    wait: float
    as_json: bool
    color: Color
    svg: Path | None


def main(arguments: Sequence[str]) -> int:
    """Asks, judges, prints; returns 0 good, 1 bad, 2 unknown or wrong usage. Raises ConfigError."""
    request = asking.parsed(check, arguments, "check")
    if isinstance(request, int):
        return request
    verdict = asking.run_async(_waited(request))
    if request.as_json:
        write_json(verdict_json(verdict, utc_stamp))
    else:
        print_to(console(request.color), verdict_view(verdict, clock))
    if request.svg:
        write_svg(verdict_view(verdict, clock), request.svg)
    return EXIT_CODES.get(verdict.verdict, 2)


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
) -> CheckRequest:
    """Say in one sentence whether the network is healthy, and why. Exit code: 0 good, 1 bad, 2 unknown."""
    return CheckRequest(
        sources=source or [],
        access=asking.access(token_file, ca_file, timeout, everybody),
        wait=wait,
        as_json=as_json,
        color=color,
        svg=svg,
    )


async def _waited(request: CheckRequest) -> Verdict:
    """The first verdict that is not unknown, or the last before the time is over. Sources are looked for each time: a
    lab that starts has no sockets yet, and one that is not there may come."""
    loop = asyncio.get_running_loop()
    until = loop.time() + request.wait
    while True:
        left = until - loop.time()
        try:
            verdict = await judge_sources(sources_of(request.sources), request.access)
        except ConfigError:
            if request.sources or left <= 0:
                raise
        else:
            if verdict.verdict in EXIT_CODES or left <= 0:
                return verdict
        await asyncio.sleep(max(0.0, min(_AGAIN, until - loop.time())))
