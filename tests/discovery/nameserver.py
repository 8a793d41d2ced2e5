"""A real DNS server that the system's resolver asks, in namespaces of its own."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pyroute2 import IPRoute

from kubesonar.lab.kernel.syscalls import mount
from tests.lab.inside import in_namespaces
from tests.probes.dns_servers import wait_for
from tests.programs import find, needs

PROGRAM = find("unbound")
NAME = "agents.net.svc.cluster.local"
_MS_BIND = 0x1000  # include/uapi/linux/mount.h

needs_unbound = needs("unbound")


def resolving(body: Callable[[Path], None]) -> None:
    """Runs `body` where 127.0.0.1 is the system's nameserver, and names are looked for as in a pod of namespace net."""

    def inside() -> None:
        with tempfile.TemporaryDirectory() as folder:
            with IPRoute() as route:
                route.link("set", index=1, state="up")
            conf = Path(folder, "resolv.conf")
            conf.write_text(
                "nameserver 127.0.0.1\nsearch net.svc.cluster.local svc.cluster.local\n"
                "options ndots:5 timeout:1 attempts:1\n"
            )
            mount(str(conf), "/etc/resolv.conf", "none", _MS_BIND)
            body(Path(folder))

    in_namespaces(inside)


@contextlib.contextmanager
def serving(folder: Path, addresses: Iterable[str]) -> Iterator[None]:
    """Unbound on port 53 of 127.0.0.1, with these addresses behind `NAME`."""
    data = "".join(f'  local-data: "{NAME}. 5 {"AAAA" if ":" in a else "A"} {a}"\n' for a in addresses)
    (folder / "unbound.conf").write_text(
        f"""server:
  interface: 127.0.0.1
  port: 53
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  num-threads: 1
  local-zone: "cluster.local." static
{data}
remote-control:
  control-enable: no
"""
    )
    assert PROGRAM is not None
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([PROGRAM, "-d", "-c", str(folder / "unbound.conf")], stderr=log, stdout=log)
    try:
        wait_for(53, server, folder / "log")
        yield
    finally:
        server.terminate()
        server.wait()
