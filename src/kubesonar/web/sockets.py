"""Listening sockets: TCP over IPv4 and IPv6, and Unix sockets."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat

from kubesonar.config import ConfigError
from kubesonar.core.address import family_of, is_literal, read_port
from kubesonar.core.integers import read_integer
from kubesonar.model import mask_userinfo
from kubesonar.net.address_families import ADDRESS_FAMILY
from kubesonar.web.options import ListenOptions

_BACKLOG = 128
"""Connections that the kernel holds until they are accepted."""

_UNIX = "unix:"
_INHERITED = "fd:"

_LAST_DESCRIPTOR = (1 << 30) - 1
"""Largest number of a descriptor that is tried: beyond the highest limit of a system (fs.nr_open, sysctl/fs.txt)."""


def open_socket(options: ListenOptions) -> socket.socket:
    """Open a listening socket. Raises ConfigError, with one sentence, where the address is malformed or in use."""
    address = options.address
    try:
        if address.startswith(_UNIX):
            return _unix(address.removeprefix(_UNIX), int(options.socket_mode, 8))
        if (number := inherited_descriptor(address)) is not None:
            return _inherited(address, number)
        return _tcp(*parse_listen_address(address))
    except OSError as error:
        raise ConfigError(f"cannot listen on {address}: {error.strerror or error}") from error


def inherited_descriptor(address: str) -> int | None:
    """Return the number in fd:NUMBER, None where it is another kind of address. Raises ConfigError where it is none."""
    if not address.startswith(_INHERITED):
        return None
    number = read_integer(address.removeprefix(_INHERITED), 0, _LAST_DESCRIPTOR)
    if number is None:
        raise ConfigError(f'cannot listen on "{mask_userinfo(address)[:80]}", expected fd:NUMBER')
    return number


def _inherited(address: str, number: int) -> socket.socket:
    """Return a copy of a socket that this process was started with; the original stays open for a successor."""
    copy = os.dup(number)
    try:
        listening = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
    tcp = listening.family in (socket.AF_INET, socket.AF_INET6)
    if not tcp or not listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        listening.close()
        raise ConfigError(f"cannot listen on {address}: this is no TCP socket that listens")
    listening.setblocking(False)
    return listening


def parse_listen_address(address: str) -> tuple[str, int]:
    """Return host (an IP address; empty: every address) and port of HOST:PORT. Raises ConfigError for anything else."""
    host, colon, port = address.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    valid = colon and (port == "0" or read_port(port)) and _is_host(bare, host)
    if not valid:
        given = mask_userinfo(address)[:80]
        raise ConfigError(
            f'cannot listen on "{given}", expected HOST:PORT, [V6]:PORT, :PORT, unix:PATH or fd:NUMBER, '
            "HOST an IP address"
        )
    return bare, int(port)


def remove_socket(path: str) -> None:
    """Remove the file of a Unix socket, which may be gone already: from Python 3.13 on asyncio removes it when it
    closes the server, before that it stays."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 (pathlib costs an agent 0.3 MiB)


def _is_host(bare: str, host: str) -> bool:
    return not bare or (is_literal(bare) and (family_of(bare) == 6) == host.startswith("["))


def _tcp(host: str, port: int) -> socket.socket:
    if host:
        return _bound(ADDRESS_FAMILY[family_of(host)], host, port)
    try:
        return _bound(socket.AF_INET6, "::", port, both=True)
    except OSError as error:
        if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            raise
    return _bound(socket.AF_INET, "0.0.0.0", port)


def _bound(family: socket.AddressFamily, host: str, port: int, *, both: bool = False) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
        # as bytes: text would load the codec for international names, half a megabyte
        info = socket.getaddrinfo(host.encode(), port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
        listening.bind(info[0][4])
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _unix(path: str, mode: int) -> socket.socket:
    _remove_stale(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~mode)  # so that it never exists with wider permissions
    try:
        listening.bind(path)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(before)
    return listening


def _remove_stale(path: str) -> None:
    """Remove the socket of a process that has ended. Raises OSError where one still answers there, or it is no
    socket."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):  # noqa: PTH116
            raise FileExistsError(None, "the path exists and is not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        trial.setblocking(False)
        try:
            trial.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)  # noqa: PTH108
            return
    raise FileExistsError(None, "another process listens there")
