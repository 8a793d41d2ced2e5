"""Shows the verdict and the map again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from rich.console import Console
from rich.live import Live

from kubesonar.apps.scene import Scene
from kubesonar.apps.times import clock
from kubesonar.model import Network
from kubesonar.views.terminal.board import Board
from kubesonar.views.terminal.verdict import headline

REFRESH = 1.0
"""Seconds from one look to the next, unless looking takes longer. Shorter, and agents are asked for nothing new."""

BOTH = (Network.POD, Network.HOST)


async def live(
    looking: Callable[[], Awaitable[Scene]],
    console: Console,
    networks: Sequence[Network] = BOTH,
    footer: Callable[[], str] = lambda: "Ctrl-C ends",
    refresh: float = REFRESH,
) -> None:
    """Show what `looking` sees until it is cancelled. Without a terminal, print the verdict when it changes."""
    if not console.is_terminal:
        await _log(looking, console, refresh)
    with Live(console=console, auto_refresh=False, screen=True, vertical_overflow="crop") as screen:
        while True:
            scene, pause = await _paced(looking, refresh)
            last = f"{footer()}  |  {scene.verdict.observers} of {scene.verdict.members} members at {clock(scene.at)}"
            screen.update(Board(scene.verdict, scene.matrices(networks), last), refresh=True)
            await asyncio.sleep(pause)


async def _log(looking: Callable[[], Awaitable[Scene]], console: Console, refresh: float) -> None:
    said = ""
    while True:
        scene, pause = await _paced(looking, refresh)
        state = " ".join([scene.verdict.verdict, *(f"{f.part} {f.subject}" for f in scene.verdict.findings)])
        if state != said:
            console.print(f"{clock(scene.at)} ", end="")
            console.print(headline(scene.verdict), soft_wrap=True)
            said = state
        await asyncio.sleep(pause)


async def _paced(looking: Callable[[], Awaitable[Scene]], refresh: float) -> tuple[Scene, float]:
    """Return a scene, and the seconds to wait for the next: at least half of what one look takes, so that a large mesh
    is not asked all the time."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    scene = await looking()
    took = loop.time() - began
    return scene, max(refresh - took, took / 2)
