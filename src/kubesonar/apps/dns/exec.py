"""`kubesonar dns exec -- COMMAND…`: runs a command in the helper pod, for debugging by hand."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Sequence

import uvloop

from kubesonar.apps.command_parser import CommandParser
from kubesonar.apps.dns.look_options import (
    add_client_options,
    add_helper_options,
    add_service_option,
    client_of,
    helper_of,
)
from kubesonar.config import ConfigError
from kubesonar.doctor.direct import AskFailed
from kubesonar.doctor.helper_making import HelperWish, make_helper
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.streaming.exec import ExecResult


def main(arguments: Sequence[str]) -> int:
    """Run the command and print what it printed; return its exit code. Raises ConfigError where it cannot be run."""
    parser = CommandParser(
        prog="kubesonar dns exec", description="Run a command in the helper pod: kubesonar dns exec -- dig +short NAME."
    )
    add_service_option(parser)
    add_helper_options(parser)
    add_client_options(parser)
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="the command and its arguments, behind --")
    given = parser.parse_args(arguments)

    async def run() -> ExecResult:
        client = client_of(given, os.environ)
        try:
            return await _run(client, helper_of(given), given.service[0], given.command)
        finally:
            client.close()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            done = runner.run(run())
    except (AskFailed, ApiError) as error:
        raise ConfigError(str(error)) from None
    sys.stdout.write(done.stdout.decode("utf-8", "replace"))
    sys.stderr.write(done.stderr.decode("utf-8", "replace"))
    return done.exit_code


async def _run(client: Client, wish: HelperWish, dns_namespace: str, command: list[str]) -> ExecResult:
    helper = await make_helper(client, wish, dns_namespace, random.SystemRandom())
    try:
        return await helper.run(command)
    finally:
        await helper.close()
