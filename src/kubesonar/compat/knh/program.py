"""`kubesonar knh`: told by environment variables only."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence

import uvloop

from kubesonar.compat import alone
from kubesonar.compat.knh.room import open_room
from kubesonar.compat.knh.settings import VARIABLES, read
from kubesonar.runtime import logs


def main(argv: Sequence[str]) -> int:
    """Runs until SIGTERM or SIGINT; 0 after an orderly end. Takes no arguments but --help, as the older tool. Raises
    ConfigError."""
    if "--help" in argv or "-h" in argv:
        sys.stdout.write(usage())
        return 0
    logs.set_up(logs.LogOptions(format="json"), sys.stdout)
    logging.getLogger().setLevel(read(os.environ).log_level)
    room = open_room(os.environ)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(alone(room))
    return 0


def usage() -> str:
    """What --help prints."""
    width = max(len(variable.name) for variable in VARIABLES)
    rows = [f"  {variable.name:<{width}}  {variable.help}" for variable in VARIABLES]
    return "\n".join(["usage: kubesonar knh", "", "It takes no arguments; these environment variables:", "", *rows, ""])
