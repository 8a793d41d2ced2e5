"""Shows the verdict and the map again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.live import Live

from kubesonar.apps.client.gather import Assessment
from kubesonar.apps.client.times import clock
from kubesonar.model import Network
from kubesonar.views.matrix import Matrix
from kubesonar.views.terminal.board import Board
from kubesonar.views.terminal.verdict import headline

REFRESH = 1.0
"""Seconds from one look to the next, unless looking takes longer. Shorter, and agents are asked for nothing new."""

BOTH = (Network.POD, Network.HOST)

Seen = TypeVar("Seen")


async def live(
    looking: Callable[[], Awaitable[Assessment]],
    console: Console,
    networks: Sequence[Network] = BOTH,
    footer: Callable[[], str] = lambda: "Ctrl-C ends",
) -> None:
    """Show what `looking` sees until it is cancelled. Without a terminal, print the verdict when it changes."""
    if not console.is_terminal:
        await _log(looking, console)

    async def mapped() -> tuple[Assessment, tuple[Matrix, ...]]:
        assessment = await looking()
        return assessment, await assessment.matrices(networks)

    with Live(console=console, auto_refresh=False, screen=True, vertical_overflow="crop") as screen:
        while True:
            (assessment, matrices), pause = await _paced(mapped)
            verdict = assessment.verdict
            last = f"{footer()}  |  {verdict.observers} of {verdict.members} members at {clock(assessment.at)}"
            screen.update(Board(verdict, matrices, last), refresh=True)
            await asyncio.sleep(pause)


async def _log(looking: Callable[[], Awaitable[Assessment]], console: Console) -> None:
    said = ""
    while True:
        assessment, pause = await _paced(looking)
        state = " ".join([assessment.verdict.verdict, *(f"{f.part} {f.subject}" for f in assessment.verdict.findings)])
        if state != said:
            console.print(f"{clock(assessment.at)} ", end="")
            console.print(headline(assessment.verdict), soft_wrap=True)
            said = state
        await asyncio.sleep(pause)


async def _paced(looking: Callable[[], Awaitable[Seen]]) -> tuple[Seen, float]:
    """Return what one look sees, and the seconds to wait for the next: at least half of what one look takes, so that a
    large mesh is not asked all the time."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    seen = await looking()
    took = loop.time() - began
    return seen, max(REFRESH - took, took / 2)
