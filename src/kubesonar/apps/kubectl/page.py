"""`kubectl sonar page`: a listener on this machine's loopback that leads to the page of the installation and adds the
token, so that the browser never holds it."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import webbrowser
from collections.abc import Sequence

import msgspec

from kubesonar.apps.client import asking
from kubesonar.apps.command_parser import CommandParser
from kubesonar.config import ConfigError
from kubesonar.kube.streaming.forwarder import copy_stream
from kubesonar.model import clip
from kubesonar.net.http.exchange import HttpRequest
from kubesonar.net.http.url import Url
from kubesonar.net.watched_file import reason_of

_HEAD_LIMIT = 16_384
"""Longest head of a request that is taken (bytes)."""

_HEAD_TIMEOUT = 10.0
"""Seconds for the head of a request; lower: a busy browser's is cut off."""

_DROPPED = frozenset({"authorization", "cookie", "connection", "host", "keep-alive", "upgrade"})
_KEY = "key"


class PageUpstream(msgspec.Struct, frozen=True):
    """The place of the page: the path of a Unix socket, and the token that is shown there (empty: none)."""

    socket: str
    token: str


class PageProxy:
    """Answers a browser on this machine. Who has not come by `address` once is refused: other users of this machine and
    pages of other sites know neither the key in it nor the cookie it leaves."""

    def __init__(self, upstream: PageUpstream) -> None:
        self._upstream = upstream
        self._key = secrets.token_urlsafe(24)
        self._port = 0

    @property
    def address(self) -> str:
        """The URL to open, with the key."""
        return f"http://127.0.0.1:{self._port}/?{_KEY}={self._key}"

    async def listen(self, port: int = 0) -> asyncio.Server:
        """Listen on the loopback (0: a free port). Raises OSError."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=_HEAD_LIMIT)
        self._port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
            answer = self._refused(head)
            if answer:
                writer.write(answer)
            else:
                await self._relay(head, reader, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        finally:
            writer.close()

    def _refused(self, head: bytes) -> bytes:
        """Return the answer to a request that is not passed on, empty for one that is."""
        method, target, headers = _parsed(head)
        cookie = f"kubesonar_{self._port}={self._key}"
        if method not in ("GET", "HEAD"):
            return _answer("405 Method Not Allowed", "the page is only read")
        if headers.get("host") not in (f"127.0.0.1:{self._port}", f"localhost:{self._port}"):
            return _answer("403 Forbidden", "this listener is for a browser on this machine")
        if target == f"/?{_KEY}={self._key}":
            kept = f"Set-Cookie: {cookie}; Path=/; HttpOnly; SameSite=Strict"
            return _answer("303 See Other", "", "Location: /", kept)
        if cookie not in [part.strip() for part in headers.get("cookie", "").split(";")]:
            return _answer("403 Forbidden", "open the address that kubectl sonar page printed")
        return b""

    async def _relay(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, headers = _parsed(head)
        kept = [(name, value) for name, value in headers.items() if name not in _DROPPED]
        kept += [("Authorization", f"Bearer {self._upstream.token}")] if self._upstream.token else []
        request = HttpRequest.make(method, Url("http", "", 0, "localhost", target), (*kept, ("Connection", "close")))
        page_reader, page_writer = await asyncio.open_unix_connection(self._upstream.socket)
        leaving = asyncio.ensure_future(reader.read(1))  # a browser that goes away ends a stream of events
        try:
            page_writer.write(request.data)
            copying = asyncio.ensure_future(copy_stream(page_reader, writer))
            await asyncio.wait([leaving, copying], return_when=asyncio.FIRST_COMPLETED)
            copying.cancel()
        finally:
            leaving.cancel()
            page_writer.close()


def _parsed(head: bytes) -> tuple[str, str, dict[str, str]]:
    """Return method, target and headers by names in lower case; empty words for what is no request."""
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[1].startswith("/"):
        return "", "", {}
    pairs = (line.partition(":") for line in lines if ":" in line)
    return words[0], words[1], {name.strip().lower(): value.strip() for name, _, value in pairs}


def _answer(status: str, text: str, *headers: str) -> bytes:
    fixed = ("Content-Type: text/plain; charset=utf-8", f"Content-Length: {len(text.encode())}", "Connection: close")
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, *fixed, "", text]).encode()


def page_options(own: Sequence[str]) -> tuple[int, bool]:
    """Return the port to listen on (0: a free one) and whether to open the browser, as the arguments say. Raises
    SystemExit after --help and for what is no argument, ConfigError for what is no port."""
    parser = CommandParser(
        prog="kubectl sonar page", description="Show the page of the installation in the browser of this machine."
    )
    parser.add_argument("--no-open", dest="opens", action="store_false", help="print the address and open no browser")
    parser.add_argument("--port", type=int, default=0, metavar="PORT", help="port on the loopback; 0: a free one")
    given = parser.parse_args(list(own))
    if not 0 <= given.port <= 65535:
        raise ConfigError(f"--port: got {clip(str(given.port), 20)}, expected a number from 0 to 65535")
    return given.port, given.opens


def show_page(upstream: PageUpstream, port: int, opens: bool) -> int:
    """Serve the page on the loopback until Ctrl-C, and open it in the browser where there is one and `opens` says so.
    Returns 0. Raises ConfigError where the port cannot be had."""

    async def serve() -> None:
        proxy = PageProxy(upstream)
        try:
            listener = await proxy.listen(port)
        except OSError as error:
            raise ConfigError(f"--port {port} cannot be listened on: {reason_of(error)}") from None
        async with listener as server:
            sys.stdout.write(f"{proxy.address}\nCtrl-C ends\n")
            sys.stdout.flush()
            if opens and any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")):
                await asyncio.to_thread(webbrowser.open, proxy.address)
            await server.serve_forever()

    asking.run_until_signal(serve())
    return 0
