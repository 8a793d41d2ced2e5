"""Programs that some tests need and a machine may lack: where they are, how a skip names the package of one that is not
there, and what installs all that were missed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

LACKS_HELM = "needs helm: run scripts/helm"
"""The reason of a skip where a test has no helm, or only one of the two that it compares."""

_PACKAGES = dict(
    line.split()
    for line in Path(__file__).with_name("packages.txt").read_text().splitlines()
    if not line.startswith("#")
)
_LACKS = re.compile(r"needs \S+: install the Debian package (\S+)")


def find(program: str) -> str | None:
    """Where a program is, if anywhere: also in folders that are not in an ordinary user's PATH."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin")


def needs(program: str) -> pytest.MarkDecorator:
    """A mark that skips a test where the program, one of packages.txt, is missing."""
    return pytest.mark.skipif(find(program) is None, reason=_lacks(program))


def found(program: str) -> str:
    """Where the program, one of packages.txt, is. Skips the test where it is missing."""
    path = find(program)
    if path is None:
        pytest.skip(_lacks(program))
    return path


def advice(reasons: Iterable[str], run: str = "") -> list[str]:
    """Two lines for the end of a run: how many tests were skipped because a program is missing, and the one command,
    begun with `run`, that installs what they need. No lines where no reason names a program."""
    named = [reason for reason in reasons if LACKS_HELM in reason or _LACKS.search(reason)]
    packages = {match[1] for reason in named if (match := _LACKS.search(reason))}
    commands = []
    if any(LACKS_HELM in reason for reason in named):
        commands.append("scripts/helm")
        packages |= set() if find("npm") else {"npm"}
    if packages:
        commands.insert(0, f"{run}apt-get install -y --no-install-recommends {' '.join(sorted(packages))}")
    if not named:
        return []
    return [f"Tests skipped because programs are missing: {len(named)}. To install them:", " && ".join(commands)]


def _lacks(program: str) -> str:
    return f"needs {program}: install the Debian package {_PACKAGES[program]}"
