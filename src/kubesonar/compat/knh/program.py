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
from kubesonar.compat.knh.settings import KNH_VARIABLES, knh_settings
from kubesonar.runtime import logs


def main(argv: Sequence[str]) -> int:
    """Runs until SIGTERM or SIGINT; 0 after an orderly end. Takes no arguments but --help, as the older tool. Raises
    ConfigError."""
    if "--help" in argv or "-h" in argv:
        sys.stdout.write(knh_usage())
        return 0
    logs.set_up(logs.LogOptions(format="json"), sys.stdout)
    logging.getLogger().setLevel(knh_settings(os.environ).log_level)
    room = open_room(os.environ)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(alone(room))
    return 0


def knh_usage() -> str:
    """What --help prints."""
    width = max(len(variable.name) for variable in KNH_VARIABLES)
    rows = [f"  {variable.name:<{width}}  {variable.help}" for variable in KNH_VARIABLES]
    return "\n".join(["usage: kubesonar knh", "", "It takes no arguments; these environment variables:", "", *rows, ""])
