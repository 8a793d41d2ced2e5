"""The agent against servers: one that answers as the original, ours, and ones in trouble."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kubesonar.compat.netchecker.agent.reporter import NetcheckerAgent
from kubesonar.compat.netchecker.agent.settings import AgentSettings
from tests.compat.netchecker.rig import add_pods, requests_of_the_original_agent, serving
from tests.kube.apiserver import ApiServer
from tests.kube.running import run
from tests.net.servers import Script
from tests.net.servers import serving as scripted
from tests.ports import free_port
from tests.waiting import until

OK = b"HTTP/1.1 200 OK\r\nDate: Sat, 28 Nov 2026 11:21:45 GMT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
"""The original server's answer to a ping and to a report."""


class OriginalServer:
    """Answers as the original did, byte by byte, and keeps what it was sent. `failing` reports are cut off."""

    def __init__(self, failing: int = 0) -> None:
        self.requests: list[bytes] = []
        self._failing = failing

    @property
    def reports(self) -> list[bytes]:
        return [request for request in self.requests if request.startswith(b"POST")]

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        self.requests.append(head + await reader.readexactly(int(length[1]) if length else 0))
        if head.startswith(b"POST") and self._failing > 0:
            self._failing -= 1
            return
        writer.write(OK)
        await writer.drain()


@asynccontextmanager
async def reporting(port: int, **more: int | str) -> AsyncIterator[None]:
    settings = AgentSettings(serverendpoint=f"127.0.0.1:{port}", **{"reportinterval": 1, **more})  # type: ignore[arg-type]
    leave = asyncio.Event()
    task = asyncio.create_task(NetcheckerAgent(settings, "netchecker-agent-abcde", "node1").run(leave))
    try:
        yield
    finally:
        leave.set()
        await task


def against(script: Script, work: Callable[[int], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with scripted(script) as port:
            await work(port)

    run(scenario())


def heads(request: bytes) -> tuple[str, set[str]]:
    """The request line without what differs, and the names of the headers."""
    line, *fields = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return line, {field.partition(":")[0] for field in fields}


def test_nc29_nc30_nc33_an_original_server_gets_what_the_original_agent_sent() -> None:
    server = OriginalServer()

    async def work(port: int) -> None:
        async with reporting(port, zeroextenderlength=10):
            began = asyncio.get_running_loop().time()
            await until(lambda: server.reports)
            assert asyncio.get_running_loop().time() - began > 0.9
            assert server.requests[0].startswith(b"GET /api/v1/ping HTTP/1.1\r\n")

    against(server, work)
    theirs, ours = requests_of_the_original_agent()[1], server.reports[0]
    line, names = heads(ours)
    assert line == heads(theirs)[0]
    assert names == heads(theirs)[1] - {"Accept-Encoding"}
    sent, wanted = (json.loads(request.partition(b"\r\n\r\n")[2]) for request in (ours, theirs))
    assert [*sent] == [*wanted]
    assert [*sent["network_probes"][0]] == [*wanted["network_probes"][0]]
    assert sent["zero_extender"] == wanted["zero_extender"]
    assert sent["ips"]["lo"][0] == "127.0.0.1/8"
    assert sent["nslookup"] == {"127.0.0.1": ["127.0.0.1"]}
    assert sent["uptime"] > 0 and re.fullmatch(r"20\d\d-.*Z", sent["hostdate"])
    (probe,) = sent["network_probes"]
    assert (probe["ConnectionResult"], probe["HTTPCode"]) == (1, 200)
    assert 0 <= probe["ContentTransfer"] <= probe["Total"] < 1000


def test_nc29_a_report_that_fails_is_not_sent_again_and_the_next_one_comes() -> None:
    server = OriginalServer(failing=1)

    async def work(port: int) -> None:
        async with reporting(port):
            await until(lambda: len(server.reports) == 2)

    against(server, work)
    first, second = (json.loads(request.partition(b"\r\n\r\n")[2])["hostdate"] for request in server.reports)
    assert second[:19] > first[:19]


def test_nc31_nc32_a_server_that_hangs_does_not_hold_the_next_report_up() -> None:
    server, hung = OriginalServer(), asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hung.set()
        await reader.read()
        await asyncio.sleep(30)

    async def work(port: int) -> None:
        async with scripted(hang) as other, reporting(port, probeurls=f"http://127.0.0.1:{other}/;nonsense"):
            await until(lambda: len(server.reports) == 2)
            assert hung.is_set()

    against(server, work)
    slow, nonsense, ping = json.loads(server.reports[1].partition(b"\r\n\r\n")[2])["network_probes"]
    assert (slow["ConnectionResult"], slow["HTTPCode"]) == (1, 0)
    assert nonsense == {**dict.fromkeys(nonsense, 0), "URL": "nonsense"}
    assert ping["HTTPCode"] == 200


def test_nc30_our_agents_report_to_our_server(tmp_path: Path) -> None:
    async def scenario() -> None:
        with ApiServer() as api:
            add_pods(api, "netchecker-agent-abcde")
            async with serving(api, tmp_path, "-kubeproxyinit") as server, reporting(server.port):

                async def well() -> bool:
                    return (await server.check()).status == 200

                async with asyncio.timeout(20):
                    while not await well():  # noqa: ASYNC110  # what is waited for knows nothing of the test
                        await asyncio.sleep(0.05)
                series = await server.series()
                (total,) = [value for name, value in series.items() if "total_time_ms" in name]
                assert 0 <= total < 1000

    run(scenario())


def test_a_server_that_is_not_there_is_probed_and_said(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with reporting(free_port()):
            await until(lambda: "the report: " in caplog.text)

    run(scenario())
    assert "refused" in caplog.text
