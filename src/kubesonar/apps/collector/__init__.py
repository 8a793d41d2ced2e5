"""`kubesonar collector`: takes the reports of all agents, judges the mesh, remembers incidents and answers.

Reports come in; verdicts, incidents, metrics and an API go out. Read `collector.py` first, then `options.py`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

import uvloop

from kubesonar.apps.collector.collector import Collector
from kubesonar.apps.collector.options import CollectorOptions
from kubesonar.config import ConfigError, from_command_line
from kubesonar.runtime import logs

COLLECTOR_SUMMARY = (
    "Takes the reports of all agents, says whether the network is healthy, and remembers what was wrong when."
)


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT and return 0. Raises SystemExit when the configuration cannot be used."""
    loaded = from_command_line(
        CollectorOptions, argv, os.environ, program="kubesonar collector", summary=COLLECTOR_SUMMARY
    )
    if code := run_collector(loaded.tree):
        raise SystemExit(code)
    return 0


def run_collector(options: CollectorOptions) -> int:
    """Run until SIGTERM or SIGINT; return 0 after an orderly end, 2 when the configuration cannot be used."""
    logs.set_up(options.log)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(Collector(options).run())
    except ConfigError as error:
        sys.stderr.write(f"kubesonar collector: {error}\n")
        return 2
    return 0
