"""A real DNS server (unbound), on this machine or in a namespace of a lab."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from kubesonar.lab.kernel.namespaces import within
from tests.programs import found


@contextlib.contextmanager
def unbound(
    folder: Path,
    port: int,
    records: Iterable[str],
    *more: str,
    zone: str = "cluster.local.",
    address: str = "127.0.0.1",
    network: int | None = None,
) -> Iterator[Path]:
    """Serve a zone of these records (as "NAME TTL TYPE DATA") on an address of that network namespace (None: this one)
    meanwhile, with `more` lines behind those of its server section; yield its log. Skips the test where unbound is
    missing."""
    program, log, conf = found("unbound"), folder / f"unbound-{address}.log", folder / f"unbound-{address}.conf"
    data = [f"""local-data: '{record}'""" for record in records]
    lines = [
        f"interface: {address}",
        "access-control: 0.0.0.0/0 allow",
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
    conf.write_text("server:\n" + "".join(f"  {line}\n" for line in lines) + "remote-control:\n  control-enable: no\n")
    with log.open("wb") as output:

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen([program, "-d", "-c", str(conf)], stderr=output, stdout=output)

        server = within(network, start)
    try:
        within(network, partial(_await, (address, port), server, log))
        yield log
    finally:
        server.terminate()
        server.wait()


def _await(at: tuple[str, int], server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(at):
            return
        assert server.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())
