"""A room of an older tool as a program of its own. Used by `kubesonar kubenurse`, `knh`, `netchecker-server`
and `netchecker-agent`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

import uvloop

from kubesonar.compat import Room
from kubesonar.runtime.supervise import Supervisor

_LOG = logging.getLogger("kubesonar.compat")


def run_program(argv: Sequence[str], usage: str, start: Callable[[Mapping[str, str]], Room]) -> int:
    """Run the room that `start` makes of the environment until SIGTERM or SIGINT, and return 0. Arguments are passed
    over, as by the older tools, but the log says so; --help prints `usage`. Raises ConfigError."""
    if "--help" in argv or "-h" in argv:
        sys.stdout.write(usage)
        return 0
    room = start(os.environ)
    if argv:
        _LOG.warning(
            "passed over: %s; it is told by environment variables alone, as --help shows", " ".join(argv)[:200]
        )
    return run_room(room)


def run_room(room: Room) -> int:
    """Run the room until SIGTERM or SIGINT, and return 0. Raises ConfigError."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_signal(room))
    return 0


async def _until_signal(room: Room) -> None:
    leave = asyncio.Event()
    Supervisor().watch_loop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave.set)
    await room.run(leave)
