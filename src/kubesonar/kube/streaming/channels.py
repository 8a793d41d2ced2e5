"""A WebSocket to the API server whose messages carry several channels: the first byte of each names its channel."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidStatus,
)
from websockets.typing import Subprotocol

from kubesonar.core.address import bracketed
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.credentials import Access, Credentials
from kubesonar.kube.errors import ApiError, refused_status, unanswered
from kubesonar.kube.query import Query, request_target
from kubesonar.kube.resource import is_object_name, pods
from kubesonar.model import Fault
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.errno_faults import fault_of
from kubesonar.net.http.exchange import USER_AGENT
from kubesonar.net.http.proxy.environment import Proxy
from kubesonar.net.http.proxy.route import tunnel_of
from kubesonar.net.http.url import Url
from kubesonar.net.tcp.dialer import Dialer

MESSAGE_LIMIT = 1 << 20
"""Longest message taken (bytes). Servers send 32 KiB at a time; lower: a bigger buffer of theirs ends the connection;
higher: a wrong server may take that much memory."""

_PING_INTERVAL = 20.0
"""Seconds between pings, which also keep a firewall from forgetting a quiet connection."""

_PING_TIMEOUT = 60.0
"""Seconds without an answer to a ping after which the connection is lost. Lower: a pod that takes its input slowly is
cut off, since the answer waits behind the data; higher: a dead way to the API server is noticed later."""

_CLOSE_TIMEOUT = 1.0
"""Seconds that the server has to answer a closing message."""


class ChannelSocket:
    """One open WebSocket. `protocol` is the version of the channel protocol that the server chose."""

    def __init__(self, connection: ClientConnection) -> None:
        self.protocol = str(connection.subprotocol)
        self._connection = connection

    async def send(self, channel: int, data: bytes) -> None:
        """Send data on a channel, when the server takes it. Raises ApiError where the connection is lost; data sent
        after the server closed it are dropped, since `receive` tells why it was closed."""
        try:
            await self._connection.send(bytes((channel,)) + data)
        except ConnectionClosedOK:
            return
        except ConnectionClosedError as error:
            raise _lost(error) from None

    async def receive(self) -> tuple[int, bytes] | None:
        """Return the next message as its channel and its data, None when the server has closed the connection in
        order. Raises ApiError where the connection is lost."""
        try:
            message = await self._connection.recv()
        except ConnectionClosedOK:
            return None
        except ConnectionClosedError as error:
            raise _lost(error) from None
        if not isinstance(message, bytes) or not message:
            raise ApiError(0, "wrong_answer", "a message without a channel, expected binary ones that begin with it")
        return message[0], message[1:]


@asynccontextmanager
async def open_channels(
    credentials: Credentials, path: str, query: Query, protocols: Sequence[str], timeout: float
) -> AsyncGenerator[ChannelSocket, None]:
    """Open a WebSocket to `path` within `timeout` seconds, offering these versions of the channel protocol, the best
    first; close it at the end. Raises ApiError, with the server's Status where it refuses."""
    connection = await _admitted(credentials, request_target(path, query), protocols, timeout)
    try:
        if connection.subprotocol is None:
            raise ApiError(0, "wrong_answer", f"the server chose none of the protocols {', '.join(protocols)}")
        yield ChannelSocket(connection)
    finally:
        await connection.close()


def pod_path(namespace: str, pod: str, subresource: str) -> str:
    """Return the path of a pod's subresource, as "exec". Raises ValueError for a name that can be none."""
    if not is_object_name(pod):
        raise ValueError(f"a pod's name is lower case letters, digits, hyphens and dots, not {pod[:80]!r}")
    return f"{pods(namespace or 'default')}/{pod}/{subresource}"


async def _admitted(
    credentials: Credentials, target: str, protocols: Sequence[str], timeout: float
) -> ClientConnection:
    """Connect, and once more with fresh credentials where the server refuses them: tokens rotate."""
    try:
        access = await credentials.access()
        try:
            return await _connected(credentials, access, target, protocols, timeout)
        except ApiError as error:
            fresh = await credentials.access(again=True) if error.status == 401 else access
            if fresh == access:
                raise
        return await _connected(credentials, fresh, target, protocols, timeout)
    except CredentialsError as error:
        raise ApiError(0, "Credentials", str(error)) from None


async def _connected(
    credentials: Credentials, access: Access, target: str, protocols: Sequence[str], timeout: float
) -> ClientConnection:
    server, proxy = credentials.server, credentials.proxy
    secure: dict[str, Any] = {}
    if access.context is not None:
        secure = {"ssl": access.context, "server_hostname": credentials.server_name}
    scheme, prefix = "ws" if access.context is None else "wss", server.target.rstrip("/")
    try:
        with Deadline(timeout) as deadline:
            # Either also keeps it from redirects elsewhere.
            way: dict[str, Any] = {"host": server.host, "port": server.port}
            if proxy is not None:
                way = {"sock": await _through(proxy, server, deadline)}
            return await connect(
                f"{scheme}://{bracketed(server.host)}:{server.port}{prefix}{target}",
                subprotocols=[Subprotocol(name) for name in protocols],
                compression=None,
                additional_headers={"Authorization": f"Bearer {access.token}"} if access.token else {},
                user_agent_header=USER_AGENT[1],
                proxy=None,
                open_timeout=deadline.left,
                ping_interval=_PING_INTERVAL,
                ping_timeout=_PING_TIMEOUT,
                close_timeout=_CLOSE_TIMEOUT,
                max_size=MESSAGE_LIMIT,
                **way,
                **secure,
            )
    except Failed as failed:
        raise unanswered(failed) from None
    except InvalidStatus as refused:
        raise refused_status(refused.response.status_code, bytes(refused.response.body or b"")) from None
    except TimeoutError:
        raise unanswered(Failed(Fault.TIMEOUT, f"no answer within {timeout:g} s")) from None
    except ssl.SSLError as error:
        raise unanswered(Failed(Fault.TLS, str(error))) from None
    except OSError as error:
        raise unanswered(Failed(*fault_of(error))) from None
    except (InvalidHandshake, ValueError, EOFError) as error:
        raise ApiError(0, "wrong_answer", f"no WebSocket: {error}") from None


async def _through(proxy: Proxy, server: Url, deadline: Deadline) -> socket.socket:
    """Return a socket that leads through the proxy to the server. Raises `Failed`."""
    resolver = Resolver()
    try:
        addresses = await resolver.resolve(proxy.url.host, deadline)
    finally:
        resolver.close()
    dialer = Dialer(tunnel_of(server, proxy), addresses, proxy.url.port)
    try:
        return (await dialer.connect(deadline)).detach()
    finally:
        if dialer.wire is not None:
            dialer.wire.abort()


def _lost(error: ConnectionClosedError) -> ApiError:
    said = error.rcvd.reason if error.rcvd is not None else ""
    return ApiError(0, Fault.RESET.value, "the connection was lost" + (f": {said}" if said else ""))
