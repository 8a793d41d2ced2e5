"""`kubesonar knh`: the room as a program of its own."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence

from kubesonar.compat import Room
from kubesonar.compat.knh.room import open_knh
from kubesonar.compat.knh.settings import KNH_VARIABLES, KnhSettings, knh_settings
from kubesonar.compat.program import run_program
from kubesonar.compat.variables import usage_of
from kubesonar.runtime import logs


def main(argv: Sequence[str]) -> int:
    """Run the room until SIGTERM or SIGINT. Returns 0; raises ConfigError."""
    return run_program(argv, usage_of("knh", KnhSettings, KNH_VARIABLES), _start)


def _start(environ: Mapping[str, str]) -> Room:
    """Log JSON to standard output, as the older tool."""
    logs.set_up(logs.LogOptions(format="json"), sys.stdout)
    logging.getLogger().setLevel(knh_settings(environ).log_level)
    return open_knh(environ)
