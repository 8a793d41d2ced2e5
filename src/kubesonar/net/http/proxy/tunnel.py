"""Connections through an HTTP proxy by CONNECT (RFC 9110, section 9.3.6)."""

from __future__ import annotations

from typing import Self

import msgspec

from kubesonar.core.address import bracketed
from kubesonar.model import Fault
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.exchange import HttpRequest
from kubesonar.net.http.response_reader import ResponseLimits, ResponseReader
from kubesonar.net.http.url import Url
from kubesonar.net.tcp.stream import Stream

_LIMITS = ResponseLimits(header_bytes=16_384)


class Tunnel(msgspec.Struct, frozen=True):
    """Makes streams through a proxy to one server; equal for equal servers (see `Origin.wire`)."""

    request: HttpRequest

    @classmethod
    def to(cls, url: Url, headers: tuple[tuple[str, str], ...]) -> Self:
        """Return the tunnel to the server of `url`; `headers` are for the proxy. Raises ValueError."""
        name = f"{bracketed(url.host)}:{url.port}"
        return cls(HttpRequest.make("CONNECT", Url("http", url.host, url.port, name, name), headers))

    def __call__(self, patience: float) -> Stream:
        return _TunnelStream(patience, self.request)


class _TunnelStream(Stream):
    """A stream whose connect ends at the far side of the proxy. A proxy that refuses is a failed connect."""

    def __init__(self, patience: float, request: HttpRequest) -> None:
        super().__init__(patience=patience)
        self._request = request

    async def connect(self, address: str, port: int, deadline: Deadline) -> None:
        """Connect to the proxy at this address and port, and through it."""
        await super().connect(address, port, deadline)
        await self.write(self._request.data, deadline)
        answer = ResponseReader(_LIMITS, bodiless=True)
        try:
            while not answer.head:
                answer.feed(await self.read(_LIMITS.header_bytes, deadline))
        except Failed as failed:
            raise Failed(failed.fault, f"the proxy's answer to CONNECT: {failed.detail}") from None
        if answer.status // 100 != 2:
            raise Failed(Fault.WRONG_ANSWER, f"the proxy refuses with status {answer.status}")
