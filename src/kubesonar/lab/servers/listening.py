"""Listeners of the lab's HTTP servers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kubesonar.core.address import bracketed
from kubesonar.web import Handler, LimitOptions, Listener, ListenOptions, Server

_GRACE = 0.5
"""Seconds that replies on their way get when a server stops."""
_CONNECTIONS = 4096
"""Most connections of a listener: every agent of the largest lab keeps some."""


def joined(address: str, port: int) -> str:
    """Return the address as `ListenOptions` takes it."""
    return f"{bracketed(address)}:{port}"


async def serve(
    listeners: Sequence[ListenOptions], handler: Handler, stop: asyncio.Event, response: float = 30.0
) -> None:
    """Listen until `stop` is set; a reply may take `response` seconds. Raises ConfigError where it cannot listen."""
    limits = LimitOptions(connections=_CONNECTIONS, response=response)
    server = Server([Listener(options, handler, limits) for options in listeners])
    await server.start()
    try:
        await stop.wait()
    finally:
        await server.stop(_GRACE)
