"""Runs a program and returns its output. Blocks, so it is called in a thread."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

OUTPUT_LIMIT = 1 << 20
"""Most output taken (bytes): a program that prints more is stopped."""

_LOOK = 0.05
"""Seconds between two checks whether the program ended: a child of its own may hold the output open for ever."""


class RunError(Exception):
    """No output can be had. The text is a clause that follows the program's name."""


def run_command(command: Sequence[str], environment: Mapping[str, str], timeout: float) -> bytes:
    """Return what `command` prints within `timeout` seconds, and kill whatever it leaves running.

    Its standard input is empty. Raises RunError, and OSError where it cannot be started.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            output = _read(process, time.monotonic() + timeout)
        except TimeoutError:
            raise RunError(f"took more than {timeout:g} s") from None
        finally:
            with suppress(ProcessLookupError):  # its group: it may have children
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise RunError(f"ended with exit code {process.returncode}")
    return output


def _read(process: subprocess.Popen[bytes], end: float) -> bytes:
    assert process.stdout is not None
    number, output = process.stdout.fileno(), b""
    while time.monotonic() < end:
        if select.select([number], [], [], _LOOK)[0]:
            data = os.read(number, 65_536)
            output += data
            if len(output) > OUTPUT_LIMIT:
                raise RunError(f"printed more than {OUTPUT_LIMIT >> 20} MiB")
            if data:
                continue
            process.wait(max(0.0, end - time.monotonic()))
        if process.poll() is not None:
            return output
    raise TimeoutError
