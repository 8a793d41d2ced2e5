"""Connections to a port of a pod through the API server: pods/portforward over WebSocket.

The protocol is v4.channel.k8s.io with the port in the query, one TCP connection per WebSocket: API servers from 1.28 to
1.36 take it, where kubectl's tunnel of SPDY needs 1.30. The pod's own localhost is dialled, so the pod network is
skipped, and a server bound to one address only is not reached. The right is `get` on pods/portforward before 1.35 and
`create` from 1.35 on, so roles grant both.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from kubesonar.kube.auth.credentials import Credentials
from kubesonar.kube.client import API_TIMEOUT
from kubesonar.kube.errors import ApiError
from kubesonar.kube.streaming.channels import ChannelSocket, open_channels, pod_path
from kubesonar.model import Fault

_PROTOCOLS = ("v4.channel.k8s.io",)
_DATA, _ERROR = range(2)
_PORT_BYTES = 2
"""Bytes at the beginning of each channel that repeat the port, little endian."""

_PART = 32_768


class PodConnection:
    """One TCP connection to a port of a pod."""

    def __init__(self, channels: ChannelSocket) -> None:
        self._channels = channels
        self._prefix = {_DATA: _PORT_BYTES, _ERROR: _PORT_BYTES}

    async def send(self, data: bytes) -> None:
        """Send data to the pod. Raises ApiError where the connection is lost."""
        for start in range(0, len(data), _PART):
            await self._channels.send(_DATA, data[start : start + _PART])

    async def receive(self) -> bytes:
        """Return the next data from the pod, empty when it has closed the connection. Raises ApiError where the pod
        cannot be reached at this port, and where the connection is lost."""
        while (message := await self._channels.receive()) is not None:
            channel, data = message
            skipped = min(self._prefix.get(channel, 0), len(data))
            if skipped:
                self._prefix[channel] -= skipped
                data = data[skipped:]
            if data and channel == _ERROR:
                raise ApiError(0, Fault.REFUSED.value, data.decode("utf-8", "replace"))
            if data and channel == _DATA:
                return data
        return b""


@asynccontextmanager
async def open_pod_port(
    credentials: Credentials, namespace: str, pod: str, port: int, timeout: float = API_TIMEOUT
) -> AsyncGenerator[PodConnection, None]:
    """Open a connection to a TCP port of a pod, and close it at the end. The API server must answer within `timeout`
    seconds; whether the pod listens is known when `receive` is called.

    Raises ApiError, with the server's Status where it refuses; ValueError for a bad name or port.
    """
    if not 0 < port < 65_536:
        raise ValueError(f"a port is 1 to 65535, not {port}")
    path = pod_path(namespace, pod, "portforward")
    async with open_channels(credentials, path, [("ports", str(port))], _PROTOCOLS, timeout) as channels:
        yield PodConnection(channels)
