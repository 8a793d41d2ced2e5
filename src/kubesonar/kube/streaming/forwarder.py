"""Unix sockets on this machine that lead to ports of pods: every client that can use a Unix socket reaches them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import msgspec

from kubesonar.kube.auth.credentials import Credentials
from kubesonar.kube.errors import ApiError
from kubesonar.kube.streaming.port_forward import PodConnection, open_pod_port

_PART = 65_536


class PodPort(msgspec.Struct, frozen=True):
    """A TCP port of a pod. With `secure` the pod expects TLS there, which the forwarder speaks to it."""

    namespace: str
    pod: str
    port: int
    secure: bool = False


@asynccontextmanager
async def forwarded(
    credentials: Credentials, target: PodPort, path: str, failed: Callable[[ApiError], None]
) -> AsyncGenerator[None, None]:
    """Listen on the Unix socket `path`; each connection to it becomes one to the pod's port. Why a connection could not
    be made, or broke off, is told to `failed`, and its client sees an end."""
    running: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(_serve(credentials, target, reader, writer, failed))
        running.add(task)
        task.add_done_callback(running.discard)

    async with await asyncio.start_unix_server(accept, path):
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def _serve(
    credentials: Credentials,
    target: PodPort,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    failed: Callable[[ApiError], None],
) -> None:
    try:
        async with open_pod_port(credentials, target.namespace, target.pod, target.port) as pod:
            if target.secure:
                await _relay_securely(pod, reader, writer)
            else:
                await _relay(pod, reader, writer)
    except ApiError as error:
        failed(error)
    except OSError:  # the client of the Unix socket went away, or TLS failed: its end says so
        return
    finally:
        writer.close()


async def _relay(pod: PodConnection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy both ways until the pod closes; a client that closes its half may still get an answer."""
    sending = asyncio.ensure_future(_send(pod, reader))
    try:
        while data := await pod.receive():
            writer.write(data)
            await writer.drain()
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send(pod: PodConnection, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(_PART):
        await pod.send(data)


async def _relay_securely(pod: PodConnection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak TLS to the pod. Its name is not checked: the API server, which proved its own, chose the pod."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    near, far = socket.socketpair()
    far_reader, far_writer = await asyncio.open_connection(sock=far)

    async def carry() -> None:
        try:
            await _relay(pod, far_reader, far_writer)
        finally:
            far_writer.close()

    below = asyncio.ensure_future(carry())
    try:
        inner_reader, inner_writer = await asyncio.open_connection(sock=near, ssl=context, server_hostname="")
        sending = asyncio.ensure_future(copy_stream(reader, inner_writer))
        try:
            await copy_stream(inner_reader, writer)
        finally:
            sending.cancel()
            inner_writer.close()
    finally:
        below.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await below


async def copy_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Write what is read until the end."""
    while data := await reader.read(_PART):
        writer.write(data)
        await writer.drain()
