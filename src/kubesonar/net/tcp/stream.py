"""A TCP or Unix stream on a non-blocking socket of our own.

asyncio's transports hide the socket of a failed connect, just when its SYN retransmits matter, and cost more.

Both ways to end a stream spare the other side. `close` sends FIN: a reset right after accept would show up as an error
in the target's logs and counts, so the side that asked keeps the TIME_WAIT (60 s, some 250 bytes of kernel memory, no
descriptor). `abort` sends RST: a failed exchange is broken anyway, and neither side keeps state or sends again.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from math import inf
from struct import pack
from typing import Protocol, TypeVar

from kubesonar.core.address import family_of, is_literal
from kubesonar.model import Fault, Kernel
from kubesonar.net.address_families import ADDRESS_FAMILY
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.epoll import Epoll, EpollHandler
from kubesonar.net.errno_faults import fault_of
from kubesonar.net.tcp.tcp_info import tcp_info

UNIX = "unix:"
"""Prefix of an address that is the path of a Unix socket."""

Result = TypeVar("Result")

_AT_ONCE = pack("ii", 1, 0)  # struct linger (socket(7)): on, 0 s, so that closing resets
_HANDSHAKE = "in the TLS handshake"


class Wire(Protocol):
    """The stream below an HTTP exchange: a `Stream`, a tunnel through a proxy, or a script in tests. Every verb raises
    `Failed`, by the deadline at the latest. `kernel` and `source_port` are set by a connect, failed or not."""

    kernel: Kernel | None
    source_port: int

    async def connect(self, address: str, port: int, deadline: Deadline) -> None: ...

    @property
    def session(self) -> ssl.SSLSession | None: ...

    async def start_tls(
        self, context: ssl.SSLContext, server_name: str, deadline: Deadline, session: ssl.SSLSession | None = None
    ) -> None: ...

    async def write(self, data: bytes, deadline: Deadline) -> None: ...

    async def read(self, limit: int, deadline: Deadline) -> bytes: ...

    def answer_in_ticks(self) -> None: ...

    def stale(self) -> bool: ...

    def tcp_info(self) -> Kernel | None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class Stream:
    """One connection, from `connect` to `close` or `abort`; it is connected once. `source` is the local address (empty:
    the kernel chooses), `patience` the seconds that connecting may take where the deadline allows more. Used by
    `HttpConnection`, the TCP and TLS probes, DNS over TCP and membership's look at a host."""

    def __init__(self, source: str = "", patience: float = inf) -> None:
        self._source = source
        self._patience = patience
        self.kernel: Kernel | None = None
        self.source_port = 0
        self._sock: socket.socket | None = None
        self._epoll: Epoll | None = None
        self._handler = EpollHandler()
        self._asked = False
        self._in_ticks = False

    async def connect(self, address: str, port: int, deadline: Deadline) -> None:
        """Connect to an IP literal, or to "unix:/path" (`port` is ignored then). Raises `Failed`, and ValueError for
        any other address, because looking up a name here would block the loop."""
        family, where = _endpoint(address, port)
        try:
            self._epoll = Epoll.of(deadline.loop)
            sock = self._sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            if self._source:
                sock.bind((self._source, 0))
            number = sock.connect_ex(where)
            self._handler = self._epoll.add(sock.fileno())
        except OSError as error:
            raise Failed(*fault_of(error)) from None
        try:
            if number == errno.EINPROGRESS:
                number = await self._connected(sock, deadline)
            if number:
                raise Failed(*fault_of(OSError(number, "")))
        finally:
            if family != socket.AF_UNIX:
                self.kernel = tcp_info(sock)
                self.source_port = sock.getsockname()[1]

    async def start_tls(
        self, context: ssl.SSLContext, server_name: str, deadline: Deadline, session: ssl.SSLSession | None = None
    ) -> None:
        """Shake hands. A final dot of `server_name`, which makes it absolute for the look-up, is neither sent nor
        verified: certificates have none (RFC 6066, section 3). A `session` of the same context and name is resumed
        where the server agrees, and then no certificate is looked at. Raises `Failed` with `Fault.TLS` and the defect
        of the certificate or protocol."""
        name = server_name.removesuffix(".")
        hostname = name.encode() if name.isascii() else name  # as text, `ssl` loads the codec of international names
        try:
            self._open.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secure = context.wrap_socket(
                self._open, do_handshake_on_connect=False, server_hostname=hostname, session=session
            )
        except (ssl.SSLError, ValueError) as error:  # ValueError: a server name that is none
            raise Failed(Fault.TLS, str(error)) from None
        except OSError as error:
            raise Failed(*fault_of(error)) from None
        self._sock = secure
        await self._attempt(secure.do_handshake, deadline, _HANDSHAKE)
        self._asked = False

    async def write(self, data: bytes, deadline: Deadline) -> None:
        """Send all of `data`."""
        send = self._open.send
        sent = await self._attempt(lambda: send(data), deadline, "sending")
        while sent < len(data):
            rest = memoryview(data)[sent:]
            sent += await self._attempt(lambda rest=rest: send(rest), deadline, "sending")  # type: ignore[misc]
        self._asked = True

    async def read(self, limit: int, deadline: Deadline) -> bytes:
        """Return at most `limit` bytes, as soon as there are some; empty at the end of the stream."""
        sock = self._open
        if self._asked:  # the answer to what was just sent is not there yet: save the call that would only say so
            self._asked = False
            await self._handler.event(deadline)
        return await self._attempt(lambda: sock.recv(limit), deadline, "waiting for data")

    def stale(self) -> bool:
        """Return whether an idle connection was closed by the other side, or holds data that nobody asked for. Under
        TLS only the former can be seen, and not always: session tickets are data too."""
        try:
            left = socket.socket.recv(self._open, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return not left or not isinstance(self._sock, ssl.SSLSocket)

    def tcp_info(self) -> Kernel | None:
        """Return the kernel's facts about the connection as they are now."""
        return tcp_info(self._open)

    @property
    def secure(self) -> ssl.SSLSocket | None:
        """The TLS socket, which knows the certificate and the protocol; None without TLS."""
        return self._sock if isinstance(self._sock, ssl.SSLSocket) else None

    @property
    def session(self) -> ssl.SSLSession | None:
        """The TLS session for a later connection to resume. It is complete once something was read, for TLS 1.3 hands
        tickets out after the handshake (RFC 8446, section 4.6.1)."""
        return self.secure.session if self.secure else None

    def answer_in_ticks(self) -> None:
        """Read answers in the loop's ticks from now on, so that none wakes this process up: for a connection on whose
        answers nobody waits impatiently."""
        if self._epoll is not None and not self._in_ticks:
            self._epoll.serve_in_ticks(self._open.fileno())
            self._in_ticks = True

    def detach(self) -> socket.socket:
        """Return the connected socket, non-blocking, for another library to go on with: it is the caller's to close.
        Raises `Failed` where the connection is closed."""
        sock = self._open
        if self._epoll is not None:
            self._epoll.drop(sock.fileno())
        self._sock = None
        return sock

    def close(self) -> None:
        """End the connection with FIN."""
        if self._sock is not None:
            if self._epoll is not None:
                self._epoll.drop(self._sock.fileno())
            self._sock.close()
            self._sock = None

    def abort(self) -> None:
        """End the connection with RST."""
        if self._sock is not None:
            with suppress(OSError):  # reset already, or never open
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            self.close()

    async def _connected(self, sock: socket.socket, deadline: Deadline) -> int:
        """Wait for the connect; return its error number, 0 for none."""
        with deadline.sooner(self._patience) as sooner:
            ready = await self._handler.event(sooner)
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not ready and not number:
                try:
                    sock.getpeername()
                except OSError:
                    raise sooner.passed("connecting") from None
        return number

    @property
    def _open(self) -> socket.socket:
        if self._sock is None:
            raise Failed(Fault.RESET, "the connection is closed")
        return self._sock

    async def _attempt(self, operation: Callable[[], Result], deadline: Deadline, doing: str) -> Result:
        """Try until it works, and once more after the deadline: data may have come while this process stood still."""
        alive = True
        while True:
            try:
                return operation()
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass  # the epoll reports either
            except ssl.SSLError as error:
                raise Failed(Fault.TLS, _tls_words(error)) from None
            except OSError as error:
                raise Failed(*fault_of(error)) from None
            if not alive:
                raise deadline.passed(doing)
            alive = await self._handler.event(deadline)


def _endpoint(address: str, port: int) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
    if address.startswith(UNIX):
        return socket.AF_UNIX, address.removeprefix(UNIX)
    if not is_literal(address):
        raise ValueError(f"an address is an IP literal or unix:/path, not {address!r}")
    return ADDRESS_FAMILY[family_of(address)], (address, port)


def _tls_words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE.get(error.verify_code, f"the certificate cannot be verified: {error.verify_message}")
    if isinstance(error, ssl.SSLEOFError):
        return "the server ended the connection in the TLS handshake"
    return f"TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"


_UNKNOWN_ISSUER = "the certificate's issuer is not known here"
_CERTIFICATE = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is signed by itself",
    19: _UNKNOWN_ISSUER,
    20: _UNKNOWN_ISSUER,
    21: _UNKNOWN_ISSUER,
    62: "the certificate is for another name",
    64: "the certificate is for another IP address",
}
"""OpenSSL's X509_V_ERR_*, include/openssl/x509_vfy.h."""
