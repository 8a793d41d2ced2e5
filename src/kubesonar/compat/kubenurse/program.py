"""`kubesonar kubenurse`: the room as a program of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kubesonar.compat import Room
from kubesonar.compat.kubenurse.room import open_kubenurse
from kubesonar.compat.kubenurse.settings import KUBENURSE_VARIABLES, KubenurseSettings
from kubesonar.compat.program import run_program
from kubesonar.compat.variables import usage_of
from kubesonar.runtime import logs


def main(argv: Sequence[str]) -> int:
    """Run the room until SIGTERM or SIGINT. Returns 0; raises ConfigError."""
    return run_program(argv, usage_of("kubenurse", KubenurseSettings, KUBENURSE_VARIABLES), _start)


def _start(environ: Mapping[str, str]) -> Room:
    logs.set_up(logs.LogOptions())
    return open_kubenurse(environ)
