"""`kubesonar dns check`: one look at the cluster's DNS, a table and a verdict (docs/dns.md)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

import uvloop

from kubesonar.apps.command_parser import CommandParser
from kubesonar.apps.dns.look_options import add_look_options, looker
from kubesonar.apps.dns.printing import add_output_options, print_look
from kubesonar.config import ConfigError
from kubesonar.core.dns_check.results import DnsLook
from kubesonar.doctor.direct import AskFailed
from kubesonar.doctor.look import Looker


def main(arguments: Sequence[str]) -> int:
    """Look once and print; return 0 for good, 1 for bad, 2 for unknown. Raises ConfigError where nothing can be
    asked."""
    parser = CommandParser(prog="kubesonar dns check", description="Ask a cluster's DNS and say which part is sick.")
    add_look_options(parser)
    add_output_options(parser)
    given = parser.parse_args(arguments)

    async def run() -> DnsLook:
        return await _look(looker(given, os.environ))

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            look = runner.run(run())
    except AskFailed as failed:
        raise ConfigError(str(failed)) from None
    return print_look(look, given)


async def _look(one: Looker) -> DnsLook:
    try:
        return await one.look()
    finally:
        await one.close()
