"""Runs of code that should not depend on the seed of Python's hashes."""

from __future__ import annotations

import os
import subprocess
import sys


def said_under_two_hash_seeds(code: str) -> set[str]:
    """Return what the code prints in two processes, each with another seed."""
    return {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1")
    }
