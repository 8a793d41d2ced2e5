"""A TCP or Unix stream on a non-blocking socket of our own.

asyncio's transports hide the socket of a failed connect, just when its SYN retransmits matter, and cost more.

How a stream ends is chosen for the other side. `close` sends FIN: a reset right after accept would show up as an error
in the target's logs and counts, so the side that asked keeps the TIME_WAIT (60 s, some 250 bytes of kernel memory, no
descriptor). `abort` sends RST: what failed is broken anyway, and neither side keeps state or sends again.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from struct import pack
from typing import Protocol, TypeVar

from kubesonar.core.address import family_of, is_literal
from kubesonar.model import Fault, Kernel
from kubesonar.net.address_families import ADDRESS_FAMILY
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.errno_faults import fault_of
from kubesonar.net.tcp.epoll import Epoll, EpollHandler
from kubesonar.net.tcp.tcp_info import tcp_info

UNIX = "unix:"
"""Begins an address that is the path of a Unix socket."""

Result = TypeVar("Result")

_AT_ONCE = pack("ii", 1, 0)  # struct linger (socket(7)): on, 0 s, so that closing resets
_HANDSHAKE = "in the TLS handshake"


class Wire(Protocol):
    """What an HTTP exchange needs of a connection; tests run it over a scripted one. Every verb raises `Failed`, by the
    deadline at the latest. `kernel` and `source_port` are known after a connect, failed or not."""

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

    def stale(self) -> bool: ...

    def tcp_info(self) -> Kernel | None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class Stream:
    """One connection, from `connect` to `close` or `abort`; see `Wire`. Not to be connected twice. `source` is the
    address that it comes from, where that is not the kernel's to choose."""

    def __init__(self, source: str = "") -> None:
        self._source = source
        self.kernel: Kernel | None = None
        self.source_port = 0
        self._sock: socket.socket | None = None
        self._watch: Epoll | None = None
        self._watched = EpollHandler()
        self._asked = False

    async def connect(self, address: str, port: int, deadline: Deadline) -> None:
        """Connects to an IP literal, or to "unix:/path" (then `port` is ignored). Raises `Failed`; ValueError for
        an address that is neither, because looking up a name here would block the loop."""
        family, where = _endpoint(address, port)
        try:
            self._watch = Epoll.of(deadline.loop)
            sock = self._sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            if self._source:
                sock.bind((self._source, 0))
            number = sock.connect_ex(where)
            self._watched = self._watch.add(sock.fileno())
        except OSError as error:
            raise Failed(*fault_of(error)) from None
        try:
            if number == errno.EINPROGRESS:
                ready = await self._watched.turn(deadline)
                number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not ready and not number and not _connected(sock):
                    raise deadline.passed("connecting")
            if number:
                raise Failed(*fault_of(OSError(number, "")))
        finally:
            if family != socket.AF_UNIX:
                self.kernel = tcp_info(sock)
                self.source_port = sock.getsockname()[1]

    async def start_tls(
        self, context: ssl.SSLContext, server_name: str, deadline: Deadline, session: ssl.SSLSession | None = None
    ) -> None:
        """Shakes hands; with a `session` of the same context and name it is resumed if the server likes, and then no
        certificate is looked at. Raises `Failed` with `Fault.TLS` and what is wrong with the certificate or the
        protocol."""
        try:
            self._open.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secure = context.wrap_socket(
                self._open, do_handshake_on_connect=False, server_hostname=server_name, session=session
            )
        except (ssl.SSLError, ValueError) as error:  # ValueError: a server name that is none
            raise Failed(Fault.TLS, str(error)) from None
        except OSError as error:
            raise Failed(*fault_of(error)) from None
        self._sock = secure
        await self._attempt(secure.do_handshake, deadline, _HANDSHAKE)
        self._asked = False

    async def write(self, data: bytes, deadline: Deadline) -> None:
        """Sends all of `data`."""
        send = self._open.send
        sent = await self._attempt(lambda: send(data), deadline, "sending")
        while sent < len(data):
            rest = memoryview(data)[sent:]
            sent += await self._attempt(lambda rest=rest: send(rest), deadline, "sending")  # type: ignore[misc]
        self._asked = True

    async def read(self, limit: int, deadline: Deadline) -> bytes:
        """At most `limit` bytes, as soon as there are some; empty at the end of the stream."""
        sock = self._open
        if self._asked:  # what was just asked is not answered yet: save the call that would only say so
            self._asked = False
            await self._watched.turn(deadline)
        return await self._attempt(lambda: sock.recv(limit), deadline, "waiting for data")

    def stale(self) -> bool:
        """Whether an idle connection was closed by the other side, or has data that nobody asked for. Under TLS only
        the former can be seen, and not always: session tickets are data too."""
        try:
            left = socket.socket.recv(self._open, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return not left or not isinstance(self._sock, ssl.SSLSocket)

    def tcp_info(self) -> Kernel | None:
        """What the kernel says of the connection now; see `tcpinfo.tcp_info`."""
        return tcp_info(self._open)

    @property
    def secure(self) -> ssl.SSLSocket | None:
        """The TLS socket, for what it says of the certificate and the protocol."""
        return self._sock if isinstance(self._sock, ssl.SSLSocket) else None

    @property
    def session(self) -> ssl.SSLSession | None:
        """What a later connection can resume: complete once something was read, for TLS 1.3 hands tickets out after the
        handshake (RFC 8446, section 4.6.1)."""
        return self.secure.session if self.secure else None

    def close(self) -> None:
        """Ends the connection with FIN."""
        if self._sock is not None:
            if self._watch is not None:
                self._watch.drop(self._sock.fileno())
            self._sock.close()
            self._sock = None

    def abort(self) -> None:
        """Ends the connection with RST."""
        if self._sock is not None:
            with suppress(OSError):  # reset already, or never open
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            self.close()

    @property
    def _open(self) -> socket.socket:
        if self._sock is None:
            raise Failed(Fault.RESET, "the connection is closed")
        return self._sock

    async def _attempt(self, operation: Callable[[], Result], deadline: Deadline, doing: str) -> Result:
        """Tries until it works, and once more after the deadline, for what came while we were kept from running."""
        alive = True
        while True:
            try:
                return operation()
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass  # the watch tells of either
            except ssl.SSLError as error:
                raise Failed(Fault.TLS, _tls_words(error)) from None
            except OSError as error:
                raise Failed(*fault_of(error)) from None
            if not alive:
                raise deadline.passed(doing)
            alive = await self._watched.turn(deadline)


def _endpoint(address: str, port: int) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
    if address.startswith(UNIX):
        return socket.AF_UNIX, address.removeprefix(UNIX)
    if not is_literal(address):
        raise ValueError(f"an address is an IP literal or unix:/path, not {address!r}")
    return ADDRESS_FAMILY[family_of(address)], (address, port)


def _connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


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
