"""A room at work on loopback, neighbours of the older kind beside it, and somebody who asks."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

import uvloop

from kubesonar.compat.kubenurse.room import KubenurseRoom, open_kubenurse
from kubesonar.web import Listener, ListenOptions, Reply, Request, Server
from tests.ports import free_port
from tests.waiting import listening, until
from tests.web.support import parsed

T = TypeVar("T")

ALONE = {
    "KUBENURSE_CHECK_API_SERVER_DIRECT": "false",
    "KUBENURSE_CHECK_API_SERVER_DNS": "false",
    "KUBENURSE_CHECK_ME_INGRESS": "false",
    "KUBENURSE_CHECK_ME_SERVICE": "false",
    "KUBENURSE_CHECK_NEIGHBOURHOOD": "false",
}
"""Every check switched off."""

QUICK = {
    "KUBENURSE_CHECK_INTERVAL": "50ms",
    "KUBENURSE_SHUTDOWN_DURATION": "0s",
    "KUBENURSE_POD_NAME": "me",
}


class Said(NamedTuple):
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def tree(self) -> Any:
        """The body, as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body."""
        return self.body.decode()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a scenario on the event loop that the room runs on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


class Running(NamedTuple):
    """A room at work: its port, what tells it to leave, and its life."""

    room: KubenurseRoom
    port: int
    leave: asyncio.Event
    life: asyncio.Task[None]

    async def get(self, path: str, *headers: str, method: str = "GET", context: ssl.SSLContext | None = None) -> Said:
        """Asks it."""
        return await get(self.port, path, *headers, method=method, context=context)

    async def alive(self, wanted: Callable[[Any], object] = bool) -> Any:
        """What /alive says, once there is something and it is as `wanted`."""
        async with asyncio.timeout(10):
            while True:
                said = await self.get("/alive")
                if said.body and wanted(said.tree):
                    return said.tree
                await asyncio.sleep(0.02)

    async def ready(self, status: int) -> None:
        """Waits until /ready says that."""

        async def said() -> bool:
            return (await self.get("/ready")).status == status

        await until(said)

    async def metrics(self) -> str:
        """What /metrics says."""
        return (await self.get("/metrics")).text


async def get(
    port: int,
    path: str,
    *headers: str,
    method: str = "GET",
    host: str = "127.0.0.1",
    context: ssl.SSLContext | None = None,
) -> Said:
    """One request, on a connection of its own."""
    lines = [f"{method} {path} HTTP/1.1", "connection: close", *headers]
    if not any(line.lower().startswith("host:") for line in headers):
        lines.append(f"host: {host}:{port}")
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode())
        return Said(*parsed(await reader.read()))
    finally:
        writer.close()


@asynccontextmanager
async def working(environ: dict[str, str], *, port: int = 0) -> AsyncIterator[Running]:
    """A room that listens, told by `QUICK` and `environ`."""
    port = port or free_port()
    room = open_kubenurse({"KUBENURSE_LISTEN": f"127.0.0.1:{port}", **QUICK, **environ})
    leave = asyncio.Event()
    life = asyncio.create_task(room.run(leave))
    try:
        await listening(port, life)
        yield Running(room, port, leave, life)
    finally:
        leave.set()
        await life


class Older:
    """A neighbour that answers everything with `status`, and remembers paths and headers."""

    def __init__(self) -> None:
        self.status = 200
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def __call__(self, request: Request) -> Reply:
        self.asked.append((request.path, {name.decode(): value.decode() for name, value in request.headers}))
        return Reply(kind="", status=self.status)


@asynccontextmanager
async def neighbour(address: str, port: int) -> AsyncIterator[Older]:
    """A neighbour that listens."""
    older = Older()
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    server = Server([Listener(ListenOptions(address=where), older)])
    await server.start()
    try:
        yield older
    finally:
        await server.stop(1)
