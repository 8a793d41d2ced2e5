"""The server in this process, with an API server that is a double and, where wanted, a real etcd; and what the original
programs said on the wire."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kubesonar.compat.netchecker.flags import settings_of
from kubesonar.compat.netchecker.server.room import NetcheckerServer
from kubesonar.compat.netchecker.server.settings import SERVER_FLAGS, ServerSettings
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.ports import free_port
from tests.waiting import listening

CORPUS = Path(__file__).parents[2] / "corpus" / "netchecker"


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RunningServer:
    """The server, and requests to it as bytes."""

    def __init__(self, port: int, api: ApiServer) -> None:
        self.port = port
        self.api = api

    async def ask(self, method: str, path: str, body: bytes = b"", *headers: str) -> Answer:
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers]
        lines += [f"Content-Length: {len(body)}"] if body else []
        return await self.say("\r\n".join([*lines, "\r\n"]).encode() + body)

    async def say(self, request: bytes) -> Answer:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        data = await reader.read()
        writer.close()
        head, _, body = data.partition(b"\r\n\r\n")
        status, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        return Answer(int(status.split()[1]), headers, body)

    async def get(self, path: str, *headers: str) -> Answer:
        return await self.ask("GET", path, b"", *headers)

    async def report(self, pod: str, **more: object) -> Answer:
        """Report as an agent of the pod does."""
        body = {"report_interval": 15, "nodename": "node1", "podname": pod, "uptime": 100, **more}
        return await self.ask("POST", f"/api/v1/agents/{pod}", json.dumps(body).encode())

    async def check(self) -> Answer:
        return await self.get("/api/v1/connectivity_check")

    async def series(self) -> dict[str, float]:
        """The series of agents, by name and labels."""
        text = (await self.get("/metrics")).body.decode()
        pairs = (line.rpartition(" ") for line in text.splitlines() if line.startswith("ncagent_"))
        return {name: float(value) for name, _, value in pairs}


def add_pods(api: ApiServer, *names: str, node: str = "node1") -> None:
    """Pods of agents, as the original's manifests label them."""
    for name in names:
        app = "netchecker-agent-hostnet" if "hostnet" in name else "netchecker-agent"
        api.put("pods", shapes.pod(name, node=node, labels={"app": app}))


@asynccontextmanager
async def serving(api: ApiServer, folder: Path, *arguments: str) -> AsyncIterator[RunningServer]:
    """The server with these flags."""
    port = free_port()
    flags = [f"-endpoint=127.0.0.1:{port}", "-check-interval=1", *arguments]
    settings = settings_of("netchecker-server", ServerSettings, SERVER_FLAGS, flags)
    assert settings is not None
    room = NetcheckerServer(settings, {"KUBECONFIG": api.kubeconfig(folder / "kubeconfig")})
    leave = asyncio.Event()
    task = asyncio.create_task(room.run(leave))
    try:
        await listening(port, task)
        yield RunningServer(port, api)
    finally:
        leave.set()
        await task


def recorded(title: str) -> tuple[str, bytes]:
    """The original's answer under this title: its head and its body."""
    text = (CORPUS / "server-answers.txt").read_text()
    found = re.search(rf"^### {re.escape(title)}\n(.*?)(?=^### |\Z)", text, re.M | re.S)
    assert found is not None, title
    head, _, body = found[1].partition("\n\n")
    length = re.search(r"Content-Length: (\d+)", head)
    return head, body.encode()[: int(length[1]) if length else None]


def requests_of_the_original_agent() -> list[bytes]:
    """What the original agent sent, byte by byte."""
    parts = re.split(r"^### request \d+\n", (CORPUS / "agent-requests.txt").read_text(), flags=re.M)[1:]
    return [_as_sent(part) for part in parts]


def _as_sent(part: str) -> bytes:
    head, _, body = part.partition("\n\n")
    return head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body.strip("\n").encode()


def agents_of_the_original_server() -> dict[str, Any]:
    """The three records that the original server showed."""
    found: dict[str, Any] = json.loads(recorded("GET /api/v1/agents/")[1])
    return found


def start(command: str, *flags: str, **environ: str) -> subprocess.Popen[str]:
    """A command of ours as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "kubesonar", command, *flags],
        env={"PATH": os.environ["PATH"], **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
