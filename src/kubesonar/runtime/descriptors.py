"""Makes sure that the descriptors 0 to 2 of this process are open."""

from __future__ import annotations

import os
import sys


def open_standard_descriptors() -> None:
    """Open /dev/null on each of the descriptors 0 to 2 that is closed, and as `sys.stdin`, `sys.stdout` or `sys.stderr`
    where that is None. To be called before anything else is opened: a socket that got such a number would be written to
    as a log, and uvloop aborts the process when it closes one."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:  # open(2) returns the lowest free number
        os.set_inheritable(opened, True)
    os.close(opened)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 (for the life of the process)
