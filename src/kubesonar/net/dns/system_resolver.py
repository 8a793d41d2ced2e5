"""Looks up the addresses of a name by the system's resolver (getaddrinfo)."""

from __future__ import annotations

import asyncio
import socket

from kubesonar.core.address import is_literal
from kubesonar.model import Fault
from kubesonar.net.address_families import ADDRESS_FAMILY
from kubesonar.net.deadline import Deadline, Failed, wake

_LOOKUPS = 4
"""Look-ups at one time. Each holds a thread until the system's resolver gives up, however soon we do: more of them are
more memory, fewer let a dead name hold up the others."""


class Resolver:
    """Looks names up, at most `_LOOKUPS` at a time and each name once at a time; nothing is cached. `close` it. Used by
    `HttpClient`, the probes and the roster by DNS."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_LOOKUPS)
        self._running: dict[tuple[str, int], asyncio.Task[list[str]]] = {}

    async def resolve(self, host: str, deadline: Deadline, family: int = 0) -> list[str]:
        """Return the addresses of `host`, at least one, of family 4 or 6 (0: both, in the resolver's order). Raises
        `Failed` with `Fault.UNRESOLVED`, at the deadline too; a look-up that still runs then is joined by the next
        call."""
        if is_literal(host):
            return [host]
        task = self._lookup((host, family))
        waiter = deadline.wait()
        task.add_done_callback(lambda _: wake(waiter))
        await waiter
        if not task.done():
            passed = deadline.passed(f"looking up {host}")
            raise Failed(Fault.UNRESOLVED if passed.fault is Fault.TIMEOUT else passed.fault, passed.detail)
        try:
            return task.result()
        except (OSError, UnicodeError, asyncio.CancelledError) as error:
            reason = getattr(error, "strerror", None) or str(error) or "the resolver was closed"
            asked = f"{host} by IPv{family}" if family else host
            raise Failed(Fault.UNRESOLVED, f"{asked}: {reason}") from None

    def close(self) -> None:
        """Cancel the look-ups that still run."""
        for task in self._running.values():
            task.cancel()

    def _lookup(self, key: tuple[str, int]) -> asyncio.Task[list[str]]:
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.get_running_loop().create_task(self._ask(*key))
            task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def _ended(self, key: tuple[str, int], task: asyncio.Task[list[str]]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # read here too, for nobody may wait any more

    async def _ask(self, host: str, family: int) -> list[str]:
        async with self._free:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, None, family=ADDRESS_FAMILY[family], type=socket.SOCK_STREAM
            )
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        return addresses
