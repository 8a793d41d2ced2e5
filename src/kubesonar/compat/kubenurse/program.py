"""`kubesonar kubenurse`: the room alone, told by environment variables only."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

import uvloop

from kubesonar.compat import alone
from kubesonar.compat.kubenurse.room import open_room
from kubesonar.compat.kubenurse.settings import KUBENURSE_VARIABLES, KubenurseSettings, KubenurseVariable
from kubesonar.runtime import logs


def main(argv: Sequence[str]) -> int:
    """Runs until SIGTERM or SIGINT; 0 after an orderly end. Arguments are passed over, as the older tool did, but for
    --help. Raises ConfigError."""
    if "--help" in argv or "-h" in argv:
        sys.stdout.write(kubenurse_usage())
        return 0
    logs.set_up(logs.LogOptions())
    room = open_room(os.environ)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(alone(room))
    return 0


def kubenurse_usage() -> str:
    """What --help prints."""
    width = max(len(variable.name) for variable in KUBENURSE_VARIABLES)
    rows = [f"  {variable.name:<{width}}  {variable.help}{_default(variable)}" for variable in KUBENURSE_VARIABLES]
    return "\n".join(
        ["usage: kubesonar kubenurse", "", "It takes no arguments; these environment variables:", "", *rows, ""]
    )


def _default(variable: KubenurseVariable) -> str:
    """In brackets, as the variable would say it; nothing for switches and where it is empty."""
    default = getattr(KubenurseSettings(), variable.field)
    if isinstance(default, bool) or default in ("", ()):
        return ""
    words = default if isinstance(default, tuple) else (default,)
    text = ",".join(word if isinstance(word, str) else f"{word:g}" for word in words)
    return f" [{text}s]" if isinstance(default, float) else f" [{text}]"
