"""`kubesonar agent`: one runs on every node, probes the others and everything that a workload depends on.

Options, rosters and other agents' datagrams come in; probes, answers, metrics and snapshots go out. Read `agent.py`
first, then `options.py` and `roster_changes.py`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence

import uvloop

from kubesonar.apps.agent.agent import Agent
from kubesonar.apps.agent.options import AgentOptions
from kubesonar.compat import Room, open_room
from kubesonar.config import ConfigError, from_command_line
from kubesonar.runtime import logs

SUMMARY = "Probes the other members of the mesh and everything a workload depends on, and tells what it saw."


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT and return 0. Raises SystemExit when the configuration cannot be used."""
    loaded = from_command_line(AgentOptions, argv, os.environ, program="kubesonar agent", summary=SUMMARY)
    if code := run_agent(loaded.tree):
        raise SystemExit(code)
    return 0


def run_agent(options: AgentOptions, environ: Mapping[str, str] = os.environ) -> int:
    """Run until SIGTERM or SIGINT; return 0 after an orderly end, 2 when the configuration cannot be used. Rooms of
    older tools are told by the variables of `environ`."""
    logs.set_up(options.log)
    code = 0
    try:
        rooms = [open_room(name, environ) for name in dict.fromkeys(options.rooms)]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_live(options, rooms))
    except* ConfigError as errors:
        for error in errors.exceptions:
            sys.stderr.write(f"kubesonar agent: {error}\n")
        code = 2
    return code


async def _live(options: AgentOptions, rooms: Sequence[Room]) -> None:
    """Run the agent, and beside it the rooms of older tools, which leave when it leaves. An exception in one ends
    all."""
    leaving = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for room in rooms:
            group.create_task(room.run(leaving))
        await Agent(options, leaving).run()
