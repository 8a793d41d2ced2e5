"""One HTTP request and what became of it, as values."""

from __future__ import annotations

from typing import Self

import msgspec

from kubesonar import __version__
from kubesonar.model import Fault, Kernel, Phase, Span, clip
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.response_head import Header
from kubesonar.net.http.response_reader import ResponseLimits, ResponseReader
from kubesonar.net.http.url import Url
from kubesonar.net.tcp.stream import Wire

USER_AGENT = ("User-Agent", f"kubesonar/{__version__}")
CLOSE = ("Connection", "close")
"""The header of a request that is the last on its connection (RFC 9112, section 9.6)."""


class HttpRequest(msgspec.Struct, frozen=True):
    """A request in the bytes of the wire."""

    method: str
    data: bytes

    @classmethod
    def make(cls, method: str, url: Url, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> Self:
        """Return the request for `url`. Raises ValueError for a header that would break out of its line."""
        lines = [f"{method} {url.target} HTTP/1.1", f"Host: {url.authority}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        if any(char in line for line in lines for char in "\r\n\0"):
            raise ValueError("a header's name and value have no line ends")
        return cls(method, "\r\n".join([*lines, "\r\n"]).encode("latin-1") + body)


class Response(msgspec.Struct, frozen=True):
    """The outcome of a request: a `status`, or a `fault` and its `detail` with status 0 or that of a body that broke
    off. `address` was asked; `remark` tells which others did not accept. `phases` are those that were completed,
    `complete` is False where more body would have come, `reused` tells that an idle connection was asked. `kernel`
    counts the segments sent again in this exchange, connecting included."""

    status: int = 0
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    complete: bool = False
    fault: Fault | None = None
    detail: str = ""
    phases: tuple[Span, ...] = ()
    reused: bool = False
    remark: str = ""
    kernel: Kernel | None = None
    address: str = ""
    source_port: int = 0

    def header(self, name: str) -> str:
        """Return the first header of that name, empty without one."""
        wanted = name.lower().encode("latin-1")
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == wanted), "")


class Exchange:
    """One request under way: its phases and the part of its response that came so far. With `streaming` the body is
    not collected."""

    def __init__(self, request: HttpRequest, limits: ResponseLimits, deadline: Deadline, streaming: bool) -> None:
        self.request = request
        self.deadline = deadline
        self.streaming = streaming
        self._limits = limits
        self.begin()

    def begin(self) -> None:
        """Start from nothing, also after an attempt that a stale connection ate."""
        self.answer = ResponseReader(self._limits, self.streaming, bodiless=self.request.method == "HEAD")
        self.phases: list[Span] = []
        self.reused = False
        self.remark = ""
        self.retransmits = 0
        self._mark = self.deadline.elapsed

    def done(self, phase: Phase) -> None:
        """Record that a phase is complete; it began with the end of the one before."""
        now = self.deadline.elapsed
        self.phases.append(Span(phase, self._mark, now))
        self._mark = now

    def response(self, wire: Wire | None, address: str, failed: Failed | None = None) -> Response:
        """Return the outcome at `address`, that of a failed exchange where `failed` is given."""
        answer = self.answer
        return Response(
            status=answer.status,
            headers=answer.headers,
            body=b"" if self.streaming else answer.take(),
            complete=answer.complete,
            fault=failed.fault if failed else None,
            detail=clip(failed.detail) if failed else "",
            phases=tuple(self.phases),
            reused=self.reused,
            remark=self.remark,
            kernel=self._kernel(wire) if wire else None,
            address=address,
            source_port=wire.source_port if wire else 0,
        )

    def _kernel(self, wire: Wire) -> Kernel | None:
        """The kernel's facts of the connect, whose round trip is one clean sample; on a reused connection those of
        now."""
        try:
            now = wire.tcp_info()
        except Failed:
            return wire.kernel
        if now is None:
            return wire.kernel
        base = now if self.reused or wire.kernel is None else wire.kernel
        again = now.retransmits - self.retransmits
        return base if base.retransmits == again else msgspec.structs.replace(base, retransmits=again)
