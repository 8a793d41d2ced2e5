"""Connections as a check makes them: in its own share of the time, and through a proxy where there is one."""

from __future__ import annotations

from collections.abc import Callable

from kubesonar.core.address import bracketed
from kubesonar.model import Fault
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.exchange import HttpRequest
from kubesonar.net.http.url import Url
from kubesonar.net.tcp.stream import Stream

_ANSWER = 16_384
"""Most bytes of a proxy's answer."""


class Dialled(Stream):
    """A stream whose connect has `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def connect(self, address: str, port: int, deadline: Deadline) -> None:
        """See `Stream.connect`."""
        with Deadline(self._seconds) as dial:
            await super().connect(address, port, dial)


class Tunnelled(Dialled):
    """A stream through an HTTP proxy (CONNECT; RFC 9110, section 9.3.6). A proxy that refuses is a failed connect."""

    def __init__(self, seconds: float, request: HttpRequest) -> None:
        super().__init__(seconds)
        self._request = request

    async def connect(self, address: str, port: int, deadline: Deadline) -> None:
        """`address` and `port` are the proxy's."""
        await super().connect(address, port, deadline)
        await self.write(self._request.data, deadline)
        head = b""
        while b"\r\n\r\n" not in head:
            data = await self.read(_ANSWER, deadline)
            head += data
            if not data or len(head) > _ANSWER:
                raise Failed(Fault.WRONG_ANSWER, "the proxy's answer to CONNECT is none")
        words = head.split(b"\r\n", 1)[0].split(b" ", 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or words[1][:1] != b"2":
            line = b" ".join(words[1:]).decode("latin-1")
            raise Failed(Fault.WRONG_ANSWER, f"the proxy refuses: {line}")


def straight(seconds: float) -> Callable[[], Stream]:
    """Makes streams to the target itself."""
    return lambda: Dialled(seconds)


def tunnelling(seconds: float, url: Url, headers: tuple[tuple[str, str], ...]) -> Callable[[], Stream]:
    """Makes streams through a proxy to the server of `url`; `headers` are for the proxy."""
    name = f"{bracketed(url.host)}:{url.port}"
    target = Url("http", url.host, url.port, name, name)
    request = HttpRequest.make("CONNECT", target, headers)
    return lambda: Tunnelled(seconds, request)
