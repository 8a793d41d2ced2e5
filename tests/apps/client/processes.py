"""Commands of people as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys


def process(*arguments: str, **environ: str) -> subprocess.Popen[str]:
    """A command of people, with more in its environment."""
    return subprocess.Popen(
        [sys.executable, "-m", "kubesonar", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
    )
