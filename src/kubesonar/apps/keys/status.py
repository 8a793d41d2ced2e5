"""`kubesonar keys status`: which keys the agents know, and which they sign with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
import typer

from kubesonar.apps.client import asking
from kubesonar.apps.client.gather import AgentAccess, gather
from kubesonar.apps.client.output import Color, console, print_to, write_json
from kubesonar.apps.client.sources import sources_of
from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.key_agreement import KeyAgreement, key_agreement
from kubesonar.model import SCHEMA
from kubesonar.views.terminal.keys import key_agreement_view

_AGAIN = 1.0
"""Seconds between two looks while waiting: shorter, and agents, which look at their key file once a second, say nothing
new; longer, and the answer comes that much later."""


def main(arguments: Sequence[str]) -> int:
    """Ask and print; return 0 where all agents agree, 1 where not, 2 for wrong usage. Raises ConfigError."""
    return asking.run_parsed(status, arguments, "keys status")


def status(
    source: asking.Sources = None,
    know: Annotated[
        int | None, typer.Option(min=1, max=255, metavar="ID", help="Whether all agents know this key.")
    ] = None,
    sign: Annotated[
        int | None, typer.Option(min=1, max=255, metavar="ID", help="Whether all agents sign with this key.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    wait: Annotated[
        float, typer.Option(min=0, max=3600, metavar="SECONDS", help="Ask again so long while the answer is no.")
    ] = 0.0,
    everybody: asking.Everybody = None,
    token_file: asking.TokenFile = None,
    ca_file: asking.CaFile = None,
    timeout: asking.Timeout = 2.0,
    color: Annotated[Color, typer.Option(help="Colours; auto heeds NO_COLOR.")] = Color.AUTO,
) -> Callable[[], int]:
    """Say whether all agents know and sign with the same keys, or with those that --know and --sign name. Exit code: 0
    yes, 1 no, or not all could be asked."""
    access = asking.access(token_file, ca_file, timeout, everybody)

    def run() -> int:
        agreement = asking.run_async(_agreed(source or [], access, know, sign, wait))
        if as_json:
            write_json(encode_json({"schema": SCHEMA, **msgspec.to_builtins(agreement)}))
        else:
            print_to(console(color), key_agreement_view(agreement))
        return int(not agreement.agreed)

    return run


async def _agreed(
    given: Sequence[str], access: AgentAccess, know: int | None, sign: int | None, wait: float
) -> KeyAgreement:
    """Return the first answer that is yes, or the last one within `wait` seconds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    while True:
        gathered = await gather(sources_of(given), access)
        agreement = key_agreement(gathered.snapshots, gathered.unread, know=know, sign=sign)
        left = until - loop.time()
        if agreement.agreed or left <= 0:
            return agreement
        await asyncio.sleep(min(_AGAIN, left))
