"""A real DNS server that the system's resolver asks, in namespaces of its own."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pyroute2 import IPRoute

from kubesonar.lab.kernel.syscalls import mount
from tests.lab.inside import in_namespaces
from tests.programs import needs
from tests.unbound import unbound

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
    records = [f"{NAME}. 5 {'AAAA' if ':' in address else 'A'} {address}" for address in addresses]
    with unbound(folder, 53, records):
        yield
