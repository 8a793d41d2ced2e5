"""`kubesonar dns repair`: says which DNS pod should be restarted, and restarts it where it is told to (docs/dns.md)."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

import uvloop

from kubesonar.apps.command_parser import CommandParser
from kubesonar.apps.dns.look_options import add_look_options, looker, read_seconds
from kubesonar.apps.dns.repair_options import RepairAssembly, add_repair_options
from kubesonar.core.remedy.events import Decision, RemedyAction, RemedyReason, RemedyVerb, RestartOutcome, RoundReport
from kubesonar.core.remedy.options import RepairMode
from kubesonar.core.remedy.remedy import LEAST_ROUNDS, SUCCESSOR_TIMEOUT
from kubesonar.doctor.repair.duty import RepairDuty
from kubesonar.net.clock import SystemClock

_PATIENCE = SUCCESSOR_TIMEOUT + 60
"""Seconds after which a restart that is under way is waited for no longer."""

_LEASE_PATIENCE = 20.0
"""Seconds for which the Lease is waited for: longer than one lasts that its holder does not renew."""

_WAITS = frozenset({RemedyReason.TOO_SHORT, RemedyReason.PENDING})
"""Reasons that a few more rounds may remove."""


def main(arguments: Sequence[str]) -> int:
    """Make rounds until it is clear what is to be done, print that, and with --yes do it and say whether it helped.
    Return 0 where all DNS pods answer, at last or from the start, 1 where one does not, 2 where that is unknown. Raises
    ConfigError."""
    parser = CommandParser(
        prog="kubesonar dns repair",
        description="Say which DNS pod should be restarted and why, or why none; --yes restarts it.",
    )
    add_look_options(parser)
    parser.add_argument("--yes", action="store_true", help="restart it")
    parser.add_argument(
        "--period", type=read_seconds, default=2.0, metavar="SECONDS", help="between two rounds (default: 2)"
    )
    add_repair_options(parser, after="0s")
    given = parser.parse_args(arguments)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_repair(given))


async def _repair(given: argparse.Namespace) -> int:
    clock, mode = SystemClock(), RepairMode.ON if given.yes else RepairMode.SUGGEST
    looks = looker(given, os.environ, clock)
    try:
        async with RepairAssembly(given, looks, os.environ, clock, mode) as duty:
            return await _rounds(duty, given.period)
    finally:
        await looks.close()


async def _rounds(duty: RepairDuty, period: float) -> int:
    loop = asyncio.get_running_loop()
    began, number = loop.time(), 0
    while True:
        number += 1
        actions = await duty.round()
        _print_new(actions)
        report = next(action for action in actions if isinstance(action, RoundReport))
        passed = loop.time() - began
        hoped = _WAITS | ({RemedyReason.NOT_LEADING} if passed < _LEASE_PATIENCE else frozenset())
        waits = [one for one in actions if isinstance(one, Decision) and one.reason in hoped]
        if (number >= LEAST_ROUNDS or not report.sick) and not waits and not report.pending:
            break
        if passed > _PATIENCE:
            break
        await asyncio.sleep(period)
    return _said(report, duty.lost)


def _print_new(actions: Sequence[RemedyAction]) -> None:
    """Print what was done, and what became of it, when it happens."""
    for action in actions:
        match action:
            case Decision(verb=RemedyVerb.RESTART, sentence=sentence) | RestartOutcome(sentence=sentence):
                sys.stdout.write(f"{sentence}\n")
                sys.stdout.flush()


def _said(report: RoundReport, lost: str) -> int:
    if lost or not report.pods:
        sys.stdout.write(f"cannot tell: {lost or report.sentence}\n")
        return 2
    sys.stdout.write(f"{report.sentence}\n")
    if report.answering == report.pods:
        return 0
    return 1 if report.sick else 2
