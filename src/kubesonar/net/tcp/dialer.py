"""Connects to a server at whichever of its addresses accepts: the one place that decides in what order, and how long
each may take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from math import inf
from typing import Generic, Protocol, TypeVar

import msgspec

from kubesonar.core.address import family_of
from kubesonar.model import Fault
from kubesonar.net.deadline import Deadline, Failed


class Connectable(Protocol):
    """An attempt at one address: a stream, or an echo. `connect` raises `Failed`."""

    async def connect(self, address: str, port: int, deadline: Deadline) -> None: ...

    def abort(self) -> None: ...


W = TypeVar("W", bound=Connectable)

ADDRESSES = 4
"""Addresses of a name that are tried, unless more are asked for. Lower: a server behind the last of several is not
reached; higher: each has a smaller share of the time to accept."""

STAGGER = 0.25
"""Seconds after which the next address is tried beside one that has not accepted yet (RFC 8305, section 8). Lower:
more connections that nobody uses; higher: a person waits longer for a dead family."""

_ELSEWHERE = frozenset({Fault.UNREACHABLE, Fault.LOCAL})
"""Faults of this machine's own side, as of a family that it has no route for: those of other addresses say more."""


def alternating(addresses: Iterable[str]) -> list[str]:
    """Return the addresses with their families in turn, beginning with that of the first (RFC 8305, section 4), so that
    a dead family costs one try and not all."""
    first, second = list[str](), list[str]()
    for address in addresses:
        (first if not first or family_of(address) == family_of(first[0]) else second).append(address)
    return [address for address in chain.from_iterable(zip_longest(first, second)) if address is not None]


class DialOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a connect: seconds for each address (`patience`) and for all together (`within`), and how many
    addresses are tried at `most`. One after another each address has an equal share of the time that is left; with
    `racing` the next one is tried beside the slow ones (Happy Eyeballs, RFC 8305)."""

    patience: float = inf
    within: float = inf
    racing: bool = False
    most: int = ADDRESSES


_PLAIN = DialOptions()


class Dialer(Generic[W]):
    """One connect to a server at `addresses` (IP literals, or one "unix:/path"). `make` makes a wire that has so many
    seconds to connect. `wire` and `address` are those of the latest try, also of one that failed: the caller closes the
    wire."""

    def __init__(
        self, make: Callable[[float], W], addresses: Sequence[str], port: int, options: DialOptions = _PLAIN
    ) -> None:
        self.wire: W | None = None
        self.address = addresses[0] if addresses else ""
        self._make = make
        self._addresses = alternating(addresses)[: options.most]
        self._port = port
        self._options = options
        self._failures: list[tuple[str, Failed]] = []

    @property
    def remark(self) -> str:
        """The addresses that did not accept though another one did, with their family and fault; empty without any."""
        return "; ".join(_told(self._failures))

    async def connect(self, deadline: Deadline) -> W:
        """Return the wire that connected. Raises `Failed` where no address accepts: where several were tried, its
        detail names the family and the fault of each."""
        racing = self._options.racing and len(self._addresses) > 1
        with deadline.sooner(self._options.within) as sooner:
            wire = await (self._race(sooner) if racing else self._in_turn(sooner))
        if wire is None:
            raise self._failed()
        return wire

    async def _in_turn(self, deadline: Deadline) -> W | None:
        for position, address in enumerate(self._addresses):
            share = deadline.left / (len(self._addresses) - position)
            wire = self._make(min(share, self._options.patience))
            self._latest(address, wire)
            try:
                await wire.connect(address, self._port, deadline)
            except Failed as failed:
                self._failures.append((address, failed))
            else:
                return wire
            if deadline.over:
                break
        return None

    async def _race(self, deadline: Deadline) -> W | None:
        """Return the first wire that connects; the others are closed."""
        waiting, running = iter(self._addresses), dict[asyncio.Task[None], tuple[str, W]]()
        won: W | None = None
        try:
            while (self._start(waiting, running, deadline) or running) and won is None:
                done, _ = await asyncio.wait(running, timeout=STAGGER, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    address, wire = running.pop(task)
                    if won is not None:
                        wire.abort()
                        continue
                    self._latest(address, wire)
                    try:
                        task.result()
                    except Failed as failed:
                        self._failures.append((address, failed))
                    else:
                        won = wire
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            for _, wire in running.values():
                wire.abort()
        return won

    def _start(
        self, waiting: Iterator[str], running: dict[asyncio.Task[None], tuple[str, W]], deadline: Deadline
    ) -> bool:
        """Begin with the next address, if there is one."""
        address = next(waiting, None)
        if address is not None:
            wire = self._make(self._options.patience)
            running[asyncio.get_running_loop().create_task(self._connect(wire, address, deadline))] = address, wire
        return address is not None

    def _latest(self, address: str, wire: W) -> None:
        if self.wire is not None:
            self.wire.abort()
        self.address, self.wire = address, wire

    async def _connect(self, wire: W, address: str, deadline: Deadline) -> None:
        with deadline.apart() as own:
            await wire.connect(address, self._port, own)

    def _failed(self) -> Failed:
        if not self._failures:
            return Failed(Fault.UNRESOLVED, "there is no address to connect to")
        if len(self._failures) == 1:
            return self._failures[0][1]
        faults = [failed.fault for _, failed in self._failures]
        telling = [fault for fault in faults if fault not in _ELSEWHERE] or faults
        return Failed(telling[-1], self.remark)


def _told(failures: Sequence[tuple[str, Failed]]) -> Iterator[str]:
    """Yield a phrase for each family and detail."""
    found: dict[tuple[int, str], list[str]] = {}
    for address, failed in failures:
        found.setdefault((family_of(address), failed.detail), []).append(address)
    for (family, detail), at in found.items():
        yield f"IPv{family}, {' and '.join(at)}: {detail}"
