"""How the lab's servers listen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kubesonar.core.address import bracketed
from kubesonar.web import LimitOptions, Listener, ListenOptions, Server
from kubesonar.web.asgi import App

_GRACE = 0.5  # seconds that answers on their way get when a target stops
_CONNECTIONS = 4096  # every agent of the largest lab keeps some


def joined(address: str, port: int) -> str:
    """An address of a listener."""
    return f"{bracketed(address)}:{port}"


async def serve(listeners: Sequence[ListenOptions], app: App, stop: asyncio.Event, response: float = 30.0) -> None:
    """Serves `app` until `stop` is set; an answer may take `response` seconds. Raises ConfigError where it cannot
    listen."""
    limits = LimitOptions(connections=_CONNECTIONS, response=response)
    server = Server([Listener(options, app, limits) for options in listeners])
    await server.start()
    try:
        await stop.wait()
    finally:
        await server.stop(_GRACE)
