"""A real SOCKS proxy (microsocks) on loopback."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator

from tests.ports import free_port
from tests.programs import found


@contextlib.contextmanager
def microsocks(*login: str) -> Iterator[str]:
    """Run a proxy meanwhile that wants this name and password, if any, and yield its HOST:PORT. Skips the test where
    microsocks is missing."""
    program, port = found("microsocks"), free_port()
    wanted = ["-u", login[0], "-P", login[1]] if login else []
    proxy = subprocess.Popen([program, "-i", "127.0.0.1", "-p", str(port), *wanted], stderr=subprocess.DEVNULL)
    try:
        _await(proxy, port)
        yield f"127.0.0.1:{port}"
    finally:
        proxy.terminate()
        proxy.wait()


def _await(proxy: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        assert proxy.poll() is None, "microsocks ended"
        time.sleep(0.05)
    raise AssertionError("microsocks does not listen")
