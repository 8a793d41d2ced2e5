"""Opens the socket of the lab's page: one of this machine's loopback, opened before the lab moves into namespaces of
its own.

A socket stays in the network that it was opened in, so the lab's first collector, or that of its coordinator, which
inherits it, answers browsers of this machine from within the lab.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from kubesonar.model import COLLECTOR_PORT

_HOST = "127.0.0.1"
_BACKLOG = 128


@contextlib.contextmanager
def page_socket(*, wanted: bool) -> Iterator[socket.socket | None]:
    """Yield a listening socket at the port of a collector, or at any that is free where that is taken; None where none
    is `wanted`."""
    if not wanted:
        yield None
        return
    try:  # also listening fails, where another lab that starts just now has bound the port as well
        listening = socket.create_server((_HOST, COLLECTOR_PORT), backlog=_BACKLOG)
    except OSError:
        listening = socket.create_server((_HOST, 0), backlog=_BACKLOG)
    with listening:
        yield listening


def page_address(listening: socket.socket) -> str:
    """Return the URL of the page at that socket."""
    host, port = listening.getsockname()
    return f"http://{host}:{port}/"
