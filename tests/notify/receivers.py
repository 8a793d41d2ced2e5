"""Receivers of webhooks on loopback that answer exactly what a test says, and what they were told."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar

import uvloop

from kubesonar.core.delivery.retry_queue import DeliveryOptions
from kubesonar.core.membership.notices import notice_id
from kubesonar.model import Condition, Notice
from kubesonar.net.clock import SystemClock
from kubesonar.notify.options import NotifyOptions, ReceiverOptions
from kubesonar.notify.outbox_entry import OutboxEntry
from kubesonar.notify.outbox_file import OutboxFile
from kubesonar.notify.webhooks import Webhooks
from kubesonar.runtime.supervise import Supervisor
from tests.net.servers import serving

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs one test on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(asyncio.wait_for(work, 30))


class Request(NamedTuple):
    """What a receiver was sent."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def status(code: int, *headers: str) -> bytes:
    """An answer without a body."""
    return "\r\n".join([f"HTTP/1.1 {code} Whatever", *headers, "Content-Length: 0", "", ""]).encode()


class Receiver:
    """Answers each request with what `answer` returns, empty: it closes without a word. `requests` are those that it
    read, `port` where it is."""

    def __init__(self, answer: Callable[[Request], bytes] = lambda request: OK) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.port = 0
        self.delay = 0.0
        self._more = asyncio.Event()

    @asynccontextmanager
    async def serve(self, context: ssl.SSLContext | None = None) -> AsyncIterator["Receiver"]:
        """Serves on a free port of 127.0.0.1, a second time on the same."""
        async with serving(self._serve, context=context, port=self.port) as self.port:
            yield self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def heard(self, count: int) -> list[Request]:
        """Waits until it has read so many requests."""
        while len(self.requests) < count:
            self._more.clear()
            await self._more.wait()
        return self.requests

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        self.requests.append(request)
        await asyncio.sleep(self.delay)
        writer.write(self.answer(request))
        self._more.set()
        await writer.drain()


async def read_request(reader: asyncio.StreamReader) -> Request:
    """One request with a content-length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *fields = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
    return Request(line, headers, await reader.readexactly(int(headers.get("content-length", 0))))


def notice(number: int, subject: str = "node-1-pod", what: Condition = Condition.DEAD) -> Notice:
    """A notice; equal arguments give equal ids."""
    return Notice(
        id=notice_id(subject, 1, what, number),
        what=what,
        subject=subject,
        at=1_795_262_400.0 + number,
        sentence=f"{subject} is {what.value} ({number})",
        node=subject.removesuffix("-pod"),
        epoch=1,
        since=1_795_262_397.5,
        evidence=("silent to 3 members in 3 zones",),
        coordinator="node-9-pod",
    )


FAST = DeliveryOptions(first=0.02, longest=0.05)


def options(url: str, **more: Any) -> NotifyOptions:
    """Options with one receiver."""
    receiver = {name: more.pop(name) for name in ReceiverOptions.__struct_fields__ if name in more}
    return NotifyOptions(
        receivers=(ReceiverOptions(**{"name": "pager", "url": url, **receiver}),), **{"delivery": FAST, **more}
    )


@asynccontextmanager
async def telling(options: NotifyOptions, **formats: Any) -> AsyncIterator[Webhooks]:
    """Webhooks that run."""
    supervisor = Supervisor()
    webhooks = Webhooks(options, formats, supervisor, SystemClock(), Random(0))
    await webhooks.start()
    try:
        yield webhooks
    finally:
        await webhooks.stop()
        await supervisor.stop()
        assert supervisor.crashes == 0


def sentences(requests: list[Request]) -> list[str]:
    """What native bodies say."""
    return [json.loads(request.body)["data"]["sentence"] for request in requests]


def rows(directory: Path) -> list[OutboxEntry]:
    """The entries in the file of an outbox."""
    file = OutboxFile(str(directory))
    try:
        return file.load(1000)[0]
    finally:
        file.close()
