"""Questions by TCP: a new connection for each, message behind a two-byte length (RFC 1035, section 4.2.2)."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from kubesonar.model import Fault
from kubesonar.net.dns.transport import WIRE_LIMIT, DnsReply, silence
from kubesonar.net.errno_faults import fault_of

if TYPE_CHECKING:
    from kubesonar.net.clock import Clock
    from kubesonar.net.dns.transport import DnsServer

_PREFIX = 2


class TcpTransport:
    """Asks one server by TCP."""

    def __init__(self, server: DnsServer, timeout: float, clock: Clock) -> None:
        self._server = server
        self._timeout = timeout
        self._clock = clock

    async def exchange(self, wire: bytes) -> DnsReply:
        """See `Transport`."""
        at, began = self._clock.wall(), self._clock.mono()
        try:
            self._server.packed()
            sock = self._server.socket(socket.SOCK_STREAM)
        except OSError as error:
            fault, detail = fault_of(error)
            return DnsReply(at, 0.0, fault=fault, detail=detail)
        with sock:
            return await _Conversation(sock, self._server, self._clock, at, began).run(wire, self._timeout)


class _Conversation:
    def __init__(self, sock: socket.socket, server: DnsServer, clock: Clock, at: float, began: float) -> None:
        self._socket = sock
        self._server = server
        self._clock = clock
        self._at = at
        self._began = began
        self._connected = 0.0
        self._got = bytearray()

    async def run(self, wire: bytes, timeout: float) -> DnsReply:
        """Connects, asks and reads until the message is whole or the deadline comes."""
        try:
            async with asyncio.timeout(timeout):
                await self._talk(wire)
        except TimeoutError as error:
            if error.errno is not None:
                return self._reply(*fault_of(error))
            return self._too_late(timeout)
        except OSError as error:
            return self._reply(*fault_of(error))
        return self._answered()

    async def _talk(self, wire: bytes) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._socket, (self._server.address, self._server.port))
        self._connected = self._elapsed()
        await loop.sock_sendall(self._socket, len(wire).to_bytes(_PREFIX, "big") + wire)
        while (missing := self._missing()) and (data := await loop.sock_recv(self._socket, missing)):
            self._got += data

    def _missing(self) -> int:
        """Bytes of the message that are still to come, as far as is known."""
        if len(self._got) < _PREFIX:
            return _PREFIX + WIRE_LIMIT - len(self._got)
        return max(_PREFIX + int.from_bytes(self._got[:_PREFIX], "big") - len(self._got), 0)

    def _too_late(self, timeout: float) -> DnsReply:
        """Our deadline may have fired late: what lies in the buffer came while nobody looked."""
        fault, detail = silence(timeout, self._elapsed())
        if fault is Fault.LOCAL and self._connected:
            try:
                while (missing := self._missing()) and (data := self._socket.recv(missing)):
                    self._got += data
            except BlockingIOError:
                return self._reply(fault, detail)
            except OSError as error:
                return self._reply(*fault_of(error))
            return self._answered()
        return self._reply(fault, detail if self._connected else f"{detail}: not connected")

    def _answered(self) -> DnsReply:
        if self._missing():
            return self._reply(Fault.RESET, f"closed after {len(self._got)} bytes of an answer")
        return self._reply(wire=bytes(self._got[_PREFIX:]))

    def _reply(self, fault: Fault | None = None, detail: str = "", wire: bytes | None = None) -> DnsReply:
        try:
            port = self._socket.getsockname()[1]
        except OSError:
            port = 0
        return DnsReply(
            at=self._at,
            took=self._elapsed(),
            wire=wire,
            connected=self._connected,
            source_port=port,
            fault=fault,
            detail=detail,
        )

    def _elapsed(self) -> float:
        return self._clock.mono() - self._began
