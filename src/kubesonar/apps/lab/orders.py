"""`kubesonar lab fault …`: an order to a lab that runs in another terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from kubesonar.apps.client import asking
from kubesonar.config import ConfigError
from kubesonar.lab.control import ask
from kubesonar.lab.directory import LabError, default_path
from kubesonar.lab.faults import VERBS, FaultError


class OrderRequest(msgspec.Struct, frozen=True):
    """Arguments of the command."""

    words: list[str]
    directory: Path


def main(arguments: Sequence[str]) -> int:
    """Inject a fault, print the active ones and return 0. Raises ConfigError where the lab cannot be reached or
    refuses."""
    order = asking.parsed(fault, arguments, "lab fault")
    if isinstance(order, int):
        return order
    try:
        active = ask(order.directory, " ".join(order.words))
    except (FaultError, LabError) as error:
        raise ConfigError(str(error)) from None
    sys.stdout.write("".join(f"{text}\n" for text in active) or "nothing is broken\n")
    return 0


def fault(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="FAULT", help="What to break; nothing: show what is broken.")
    ] = None,
    directory: Annotated[Path | None, typer.Option(metavar="PATH", help="The lab's directory.")] = None,
) -> OrderRequest:
    return OrderRequest(words or [], (directory or default_path()).absolute())


def table() -> str:
    """Return a line for each kind of fault."""
    width = max(len(verb.syntax) for verb in VERBS)
    return "\n".join(f"{verb.syntax:{width}}  {verb.help}" for verb in VERBS)


fault.__doc__ = f"""Break something in the running lab, or mend it.

A and B are nodes, dns-1, dns-2, api, ingress, pager, or * for all; PLACE is a node or a collector. Quote what has > or
* in it.

\b
{table()}
"""
