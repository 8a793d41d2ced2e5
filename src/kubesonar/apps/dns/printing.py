"""Prints the result of a look and chooses its exit code, for all verbs that look."""

from __future__ import annotations

import argparse
import sys

from kubesonar.apps.client.times import utc_stamp
from kubesonar.core.dns_check.results import DnsLook
from kubesonar.core.dns_check.verdict import judge_look
from kubesonar.model import Health
from kubesonar.views.dns_answers import dns_json


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say how a look is printed."""
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="colours (default: auto)")


def print_look(look: DnsLook, given: argparse.Namespace) -> int:
    """Print the look and its verdict, and return 0 for good, 1 for bad, 2 for unknown."""
    verdict = judge_look(look)
    if given.json:
        sys.stdout.write(dns_json(look, verdict, utc_stamp).decode() + "\n")
    else:
        from kubesonar.apps.client.output import Color, console, print_to  # people only: a helper pod has no Rich
        from kubesonar.views.terminal.dns import dns_view

        print_to(console(Color(given.color)), dns_view(look, verdict))
    return {Health.GOOD: 0, Health.BAD: 1}.get(verdict.health, 2)
