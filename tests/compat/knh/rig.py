"""Rooms on loopback addresses of their own, behind a Service of an API server that is a double, and an older pod."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from kubesonar.compat.knh.election.identity import Peer, peer
from kubesonar.compat.knh.room import KnhRoom
from kubesonar.compat.knh.settings import knh_settings
from kubesonar.kube.auth.loading_rules import in_cluster
from kubesonar.net.http.proxy.environment import Proxies
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.net.servers import serving
from tests.waiting import until

_PROCESS = os.getpid()

HURRY = 0.2
"""Seconds between two elections."""

SERVICE, NAMESPACE, PORT = "service-knh", "monitoring", 18_080


def environ(number: int, **more: str) -> dict[str, str]:
    """What a pod of the older tool is told, in a hurry."""
    return {
        "POD_IP": ip(number),
        "MY_NODE_NAME": f"node-{number}",
        "SERVICE_NAME": SERVICE,
        "NAMESPACE": NAMESPACE,
        "CONTAINER_PORT": str(PORT),
        "SEND_MAX_RETRIES": "2",
        "SEND_COOLDOWN_PERIOD": "0",
        "CONNECT_COOLDOWN_PERIOD": "0",
        **more,
    }


def ip(number: int) -> str:
    """An address of this machine that no other process uses."""
    return f"127.{64 + (_PROCESS >> 8) % 64}.{_PROCESS % 256}.{number}"


def pod(number: int) -> Peer:
    """The pod of that number."""
    return peer(f"node-{number}", ip(number), PORT)


def behind_service(api: ApiServer, *numbers: int, terminating: int | None = None) -> None:
    """The API lists these pods, in EndpointSlices and in Endpoints; one of them may terminate."""
    pods = [(f"knh-{number}", f"node-{number}", ip(number)) for number in numbers]
    tree = shapes.endpoint_slice("service-knh-x1", SERVICE, *pods, namespace=NAMESPACE)
    for endpoint in tree["endpoints"]:
        if terminating is not None and endpoint["addresses"] == [ip(terminating)]:
            endpoint["conditions"] = {"ready": False, "serving": True, "terminating": True}
    api.put("endpointslices", tree)
    addresses = [
        {"ip": address, "nodeName": node}
        for number, (_, node, address) in zip(numbers, pods, strict=True)
        if number != terminating
    ]
    api.put(
        "endpoints",
        {"metadata": {"name": SERVICE, "namespace": NAMESPACE}, "subsets": [{"addresses": addresses, "ports": []}]},
    )


class Pods:
    """Rooms that run in this process; `start` and `stop` them by number."""

    def __init__(self, api: ApiServer, folder: Path) -> None:
        self._api = api
        self._folder = folder
        self._running: dict[int, tuple[KnhRoom, asyncio.Event, asyncio.Task[None]]] = {}

    def start(self, number: int, **more: str) -> None:
        """Starts a pod."""
        mounted = in_cluster(self._api.in_cluster(self._folder), str(self._folder))
        hurried = msgspec.structs.replace(knh_settings(environ(number, **more)), election_pause=HURRY)
        room, leave = KnhRoom(hurried, mounted, Proxies(more)), asyncio.Event()
        self._running[number] = room, leave, asyncio.create_task(room.run(leave))

    async def stop(self, number: int) -> None:
        """Ends a pod in order."""
        _, leave, task = self._running.pop(number)
        leave.set()
        await task

    def coordinators(self) -> dict[int, str]:
        """Whom each pod takes for the coordinator."""
        return {number: room.coordinator for number, (room, _, _) in self._running.items()}

    async def settle(self, coordinator: int) -> None:
        """Waits until all agree on that coordinator."""
        await until(lambda: set(self.coordinators().values()) == {pod(coordinator).id})

    async def close(self) -> None:
        """Ends all as they are: in order, each takes a second."""
        tasks = [task for _, _, task in self._running.values()]
        self._running.clear()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def pods(folder: Path, *listed: int) -> AsyncIterator[tuple[ApiServer, Pods]]:
    """An API server that lists the pods of those numbers, and nobody running yet."""
    with ApiServer() as api:
        behind_service(api, *listed)
        running = Pods(api, folder)
        try:
            yield api, running
        finally:
            await running.close()


class Older:
    """A pod of the older tool: it answers, and calls others when it is told to."""

    def __init__(self, number: int, status: int = 200) -> None:
        self.own = pod(number)
        self.status = status
        self.asked: list[str] = []

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Older"]:
        """Listens as the older tool does."""
        async with serving(self._answer, self.own.ip, port=PORT):
            yield self

    async def announce(self, number: int, claimed: str = "") -> bytes:
        """Tells another pod that it is the coordinator; the answer."""
        return await call(pod(number), f"/coordinator?id={claimed or self.own.id}", self.own.ip)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.split()[1])
        body = b"pong" if self.asked[-1] == "/ping" else b""
        head = f"HTTP/1.1 {self.status} OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()


async def call(to: Peer, target: str, source: str = "", method: str = "GET") -> bytes:
    """Everything that a pod answers."""
    own: Any = (source, 0) if source else None
    reader, writer = await asyncio.open_connection(to.ip, PORT, local_addr=own)
    writer.write(f"{method} {target} HTTP/1.1\r\nHost: {to.address}\r\nConnection: close\r\n\r\n".encode())
    try:
        return await reader.read()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
