"""`kubesonar simulate`: a virtual cluster, played from a scenario (docs/simulate.md)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec
import typer

from kubesonar.apps.client import asking
from kubesonar.config import ConfigError
from kubesonar.sim.playing import Player
from kubesonar.sim.scenario import MOST_MEMBERS, Scenario, ScenarioError, parse

SHIPPED = Path(__file__).parents[1] / "sim/scenarios"
SCENARIO_LIMIT = 4 * 2**20
"""Longest scenario, in bytes."""


class SimulateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of the command."""

    scenario: str
    seed: int | None
    members: int | None
    minutes: float
    transcript: bool


def main(arguments: Sequence[str]) -> int:
    """Plays a scenario; returns 0, or 1 where it did not go as the scenario says or something happened that never may,
    or 2 on wrong usage. Raises ConfigError."""
    request = asking.parsed(simulate, arguments, "simulate")
    if isinstance(request, int):
        return request
    if not request.scenario:
        sys.stdout.write(shipped())
        return 0
    try:
        return _play(parse(_read(request.scenario)), request)
    except ScenarioError as error:
        raise ConfigError(f"{request.scenario}: {error}") from None


def simulate(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO",
            help="A file, or the name of a scenario that comes with kubesonar; without it, those are listed.",
        ),
    ] = "",
    seed: Annotated[int | None, typer.Option(min=0, help="Replaces the scenario's seed.")] = None,
    members: Annotated[
        int | None, typer.Option(min=1, max=MOST_MEMBERS, help="Replaces the scenario's number of members.")
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0, max=10_080, help="Lets so many virtual minutes pass at the end.")
    ] = 0.0,
    transcript: Annotated[
        bool, typer.Option("--transcript", help="Print the scenario with what happened in it, fit to be one again.")
    ] = False,
) -> SimulateRequest:
    """Play a scenario on a virtual cluster: elections, deaths and what is told of them."""
    return SimulateRequest(scenario=scenario, seed=seed, members=members, minutes=minutes, transcript=transcript)


def shipped() -> str:
    """The scenarios that come with kubesonar, a line each."""
    rows = {path.stem: parse(path.read_text()).title for path in sorted(SHIPPED.glob("*.txt"))}
    width = max(map(len, rows), default=0)
    return "".join(f"{name:<{width}}  {title}\n" for name, title in rows.items())


def _read(name: str) -> str:
    path = SHIPPED / f"{name}.txt" if name in {each.stem for each in SHIPPED.glob("*.txt")} else Path(name)
    try:
        with path.open("rb") as file:
            data = file.read(SCENARIO_LIMIT + 1)
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror}, and no scenario of that name comes with kubesonar") from None
    if len(data) > SCENARIO_LIMIT:
        raise ConfigError(f"{name}: a scenario has {SCENARIO_LIMIT >> 20} MiB at most")
    return data.decode("utf-8", "replace")


def _play(scenario: Scenario, request: SimulateRequest) -> int:
    lines: list[str] = []

    def write(line: str) -> None:
        sys.stdout.write((line if request.transcript or not line.startswith("> ") else line[2:]) + "\n")
        if line.startswith(">"):
            lines.append(line)

    player = Player(scenario, Random, write, seed=request.seed, members=request.members)
    player.play(60 * request.minutes)
    for complaint in player.complaints:
        sys.stderr.write(f"kubesonar simulate: never may happen and did: {complaint}\n")
    as_written = request.seed is None and request.members is None and not request.minutes
    differs = as_written and bool(scenario.given) and _differs(scenario.given, lines)
    return 1 if player.complaints or differs else 0


def _differs(given: Sequence[str], said: Sequence[str]) -> bool:
    for expected, line in zip_longest(given, said, fillvalue="(nothing)"):
        if expected != line:
            sys.stderr.write(f"kubesonar simulate: expected {expected.lstrip('> ')}\n")
            sys.stderr.write(f"kubesonar simulate: happened {line.lstrip('> ')}\n")
            return True
    return False
