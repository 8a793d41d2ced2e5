"""`kubesonar map`: which member reaches which, live (docs/check.md)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from kubesonar.apps.client import asking
from kubesonar.apps.client.gather import AgentAccess, assess
from kubesonar.apps.client.live import live
from kubesonar.apps.client.output import Color, console, print_to, write_json, write_svg
from kubesonar.apps.client.sources import SnapshotSource
from kubesonar.apps.client.times import utc_stamp
from kubesonar.apps.client.watch import Watch
from kubesonar.model import Network
from kubesonar.views.answers import map_json
from kubesonar.views.terminal.board import Board


class MapNetwork(StrEnum):
    """The choice of networks that are shown."""

    POD = "pod"
    HOST = "host"
    BOTH = "both"

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks of this choice."""
        return (Network.POD, Network.HOST) if self is MapNetwork.BOTH else (Network(self.value),)


class MapRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of the command."""

    sources: list[str]
    access: AgentAccess
    once: bool
    as_json: bool
    network: MapNetwork
    color: Color
    svg: Path | None


def main(arguments: Sequence[str]) -> int:
    """Show the map until Ctrl-C, or once. Returns 0, or 2 where no agent could be read or after wrong usage. Raises
    ConfigError."""
    request = asking.parsed(map_, arguments, "map")
    if isinstance(request, int):
        return request
    sources = asking.sources(request.sources, request.access)
    if request.once or request.as_json or request.svg:
        return asking.run_async(_print(sources, request))
    watch = Watch(lambda: sources, request.access)
    asking.run_until_signal(live(watch.look, console(request.color), request.network.networks))
    return 0


def map_(
    source: asking.Sources = None,
    once: Annotated[bool, typer.Option("--once", help="Print the map once and leave.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the map once, as JSON.")] = False,
    network: Annotated[MapNetwork, typer.Option(help="Which network's members to show.")] = MapNetwork.BOTH,
    everybody: asking.Everybody = None,
    token_file: asking.TokenFile = None,
    ca_file: asking.CaFile = None,
    timeout: asking.Timeout = 2.0,
    collector: asking.CollectorUrl = "",
    color: Annotated[Color, typer.Option(help="Colours; auto heeds NO_COLOR.")] = Color.AUTO,
    svg: asking.MapPicture = None,
) -> MapRequest:
    """Show who reaches whom: sources by targets, until Ctrl-C."""
    return MapRequest(
        sources=source or [],
        access=asking.access(token_file, ca_file, timeout, everybody, collector),
        once=once,
        as_json=as_json,
        network=network,
        color=color,
        svg=svg,
    )


async def _print(sources: Sequence[SnapshotSource], request: MapRequest) -> int:
    assessment = await assess(sources, request.access)
    matrices = await assessment.matrices(request.network.networks)
    board = Board(assessment.verdict, matrices)
    if request.as_json:
        write_json(map_json(matrices, assessment.at, utc_stamp))
    else:
        print_to(console(request.color), board)
    if request.svg:
        write_svg(board, request.svg)
    return 0 if assessment.verdict.observers else 2
