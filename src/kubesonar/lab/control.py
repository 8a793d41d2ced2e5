"""Orders to a running lab from another terminal: one line of JSON each way on a Unix socket that only its owner may
open."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated

import msgspec

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.encoding import encode_json
from kubesonar.lab.directory import LabError, control_socket
from kubesonar.lab.faults import FaultError
from kubesonar.lab.network.firewall import NFT_TIMEOUT

CONTROL_VERSION = 1
"""Version of orders and answers; another one is refused."""
_LINE_LIMIT = 64 * 1024
"""Most bytes of an order or an answer."""
_PATIENCE = 2 * NFT_TIMEOUT
"""Seconds that an order may take, on either side: rules that cannot be loaded are replaced by those before them."""


class FaultOrder(msgspec.Struct, frozen=True, omit_defaults=True):
    """A fault to inject, as a person writes it; empty: only list the active faults."""

    version: int = CONTROL_VERSION
    fault: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The active faults, or in one sentence why the order was refused."""

    version: int = CONTROL_VERSION
    faults: tuple[str, ...] = ()
    error: str = ""


Obey = Callable[[str], tuple[str, ...]]
"""A function that injects the fault in the text (none where it is empty) and returns the active ones. Raises
FaultError."""


@contextlib.asynccontextmanager
async def listen(path: Path, obey: Obey) -> AsyncIterator[None]:
    """Take orders on the socket at `path` while the context lasts. The directory's mode protects the socket, and its
    release removes it where the server does not (asyncio does from Python 3.13 on)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                line = await reader.readline()
                writer.write(encode_json(_answer(line, obey)) + b"\n")
                await writer.drain()

    server = await asyncio.start_unix_server(serve, path, limit=_LINE_LIMIT)
    try:
        yield
    finally:
        server.close()


def ask(directory: Path, fault: str = "") -> tuple[str, ...]:
    """Inject a fault into the lab in `directory`, and return the active ones. Raises LabError where no lab runs there
    or it does not answer, FaultError where it refuses."""
    request = encode_json(FaultOrder(fault=fault)) + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(str(control_socket(directory)))
            connection.sendall(request)
            answer = decode_json(connection.makefile("rb").readline(_LINE_LIMIT + 1), Answer)
        except (FileNotFoundError, ConnectionRefusedError):
            raise LabError(f"no lab runs in {directory}: start one with kubesonar lab") from None
        except (OSError, Undecodable) as error:
            raise LabError(f"the lab in {directory} does not answer: {error or 'timed out'}") from None
    if answer.error:
        raise FaultError(answer.error)
    return answer.faults


def _answer(line: bytes, obey: Obey) -> Answer:
    try:
        order = decode_json(line, FaultOrder)
        if order.version != CONTROL_VERSION:
            return Answer(
                error=f"version: got {order.version}, expected {CONTROL_VERSION}, that of the lab's kubesonar"
            )
        return Answer(faults=obey(order.fault))
    except Undecodable as error:
        return Answer(error=f"this is no order to a lab: {error}")
    except FaultError as error:
        return Answer(error=str(error))
