"""A real DNS server (unbound) on this machine."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.programs import found


@contextlib.contextmanager
def unbound(
    folder: Path, port: int, records: Iterable[str], *more: str, zone: str = "cluster.local."
) -> Iterator[Path]:
    """Serve a zone of these records (as "NAME TTL TYPE DATA") on 127.0.0.1 meanwhile, with `more` lines of its server
    section; yield its log. Skips the test where unbound is missing."""
    program, log = found("unbound"), folder / "unbound.log"
    data = [f"""local-data: '{record}'""" for record in records]
    lines = [
        "interface: 127.0.0.1",
        f"port: {port}",
        "do-daemonize: no",
        'chroot: ""',
        'username: ""',
        f'directory: "{folder}"',
        'pidfile: ""',
        "use-syslog: no",
        "num-threads: 1",
        f'local-zone: "{zone}" static',
        *data,
        *more,
    ]
    (folder / "unbound.conf").write_text(
        "server:\n" + "".join(f"  {line}\n" for line in lines) + "remote-control:\n  control-enable: no\n"
    )
    with log.open("wb") as output:
        server = subprocess.Popen([program, "-d", "-c", str(folder / "unbound.conf")], stderr=output, stdout=output)
    try:
        _await(port, server, log)
        yield log
    finally:
        server.terminate()
        server.wait()


def _await(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        assert server.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())
