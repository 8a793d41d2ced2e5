"""`kubesonar netchecker-server`: the server as a program."""

from __future__ import annotations

import os
from collections.abc import Sequence

from kubesonar.compat.netchecker.flags import settings_of
from kubesonar.compat.netchecker.server.room import NetcheckerServer
from kubesonar.compat.netchecker.server.settings import SERVER_FLAGS, ServerSettings
from kubesonar.compat.program import run_room
from kubesonar.runtime import logs

_VERBOSE = 5
"""The value of -v from which each report is logged."""


def main(argv: Sequence[str]) -> int:
    """Run the server until SIGTERM or SIGINT. Returns 0; raises ConfigError."""
    settings = settings_of("netchecker-server", ServerSettings, SERVER_FLAGS, argv)
    if settings is None:
        return 0
    logs.set_up(logs.LogOptions(level="debug" if settings.v >= _VERBOSE else "info"))
    return run_room(NetcheckerServer(settings, os.environ))
