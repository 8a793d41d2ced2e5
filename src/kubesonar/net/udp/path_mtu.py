"""Searches for the largest IP packet that passes whole, by probing (RFC 8899), since ICMP may be filtered."""

from __future__ import annotations

import asyncio
import errno
import time
from enum import Enum

import msgspec

from kubesonar.core.address import family_of
from kubesonar.core.wire.codec import MIN_REQUEST, UNHURRIED, UNRECORDED
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.net.kernel.cmsg import NetError
from kubesonar.net.udp.train import HEADERS, TrainResult
from kubesonar.net.udp.train_sender import TrainSender

FLOOR = {4: 576, 6: 1280}
"""Size of packets that every path should pass (bytes): the first step (RFC 791, section 3.1; RFC 8200, section 5)."""

_SHARE = 6
"""Part of the timeout after which silence counts: one part for the first try, one to compare, four to search."""

_STEP = 0.05
"""Shortest wait for one step of the search (s); on longer paths it is four round trips."""

_STEP_TRIES = 3
"""Datagrams of each step, so that loss of one does not look like a limit."""


class SizeOutcome(Enum):
    """The outcome for the biggest packets."""

    PASSED = "passed"
    LINK = "link"
    """The own link takes less than expected."""
    TOLD = "told"
    """A router reported "too big"."""
    VANISHED = "vanished"
    """Big packets vanish silently while small ones pass."""
    UNCLEAR = "unclear"
    """Too many small packets are lost for a conclusion."""
    SILENT = "silent"
    """Small packets do not pass either."""
    MISDELIVERED = "misdelivered"
    """Another member than the one meant answers."""
    STARVED = "starved"
    """The process was not running while answers could have come."""


class PathResult(msgspec.Struct, frozen=True):
    """The outcome of a search.

    `mtu` is the biggest IP packet that passed (bytes, 0 where none did), `limit` the biggest that the link or the
    ceiling allowed, `by` the host that reported "too big", `small` the train of small datagrams that shows whether the
    path is there at all, and `rate` the bottleneck's rate by a train of full size (bits/s).
    """

    outcome: SizeOutcome
    mtu: int
    limit: int
    small: TrainResult
    by: str = ""
    rate: float | None = None


class PathSearch:
    """Searches the path to one responder, of the member that is `meant` (None: anybody), within `timeout` seconds.

    `sender` finds out whether big packets pass, and at which rate, without a hurry at either end. Only where they do
    not, `searcher`, which reads answers at once, finds the size that does: each of its steps follows the answer to the
    one before. `known` is the size that passed the last time that bigger packets did not (0: none); it is tried first.
    """

    def __init__(
        self,
        sender: TrainSender,
        searcher: TrainSender,
        address: str,
        port: int,
        *,
        timeout: float,
        ceiling: int,
        known: int,
        number: int,
        meant: WireIdentity | None = None,
    ) -> None:
        self._sender = sender
        self._searcher = searcher
        self._to = (address, port)
        self._headers = HEADERS[family_of(address)]
        self._floor = FLOOR[family_of(address)]
        self._deadline = time.monotonic() + timeout
        self._patience = timeout / _SHARE
        self._limit = ceiling
        self._known = known
        self._number = number
        self._meant = meant

    async def run(self, *, least: int, tries: int, train: int) -> PathResult:
        """Search once.

        `least` is the size that the link must take (bytes), `tries` the number of datagrams of either size that are
        compared before big ones count as vanished, `train` the number of full size that measure the rate (0: none).
        """
        small, full = await self._first()
        told = _too_big(full, local=False)
        if not (full.received or full.starved or full.misdelivered):
            small, full = await self._both(self._searcher, tries, self._patience)
        outcome, mtu, by = await self._conclude(small, full, told or _too_big(full, local=False), least, tries)
        rate = await self._rate(mtu, train) if mtu else None
        return PathResult(outcome, mtu, self._limit, small, by, rate)

    async def _first(self) -> tuple[TrainResult, TrainResult]:
        """Send a small and a big datagram; where the own link refuses the big one, send one of its MTU instead."""
        small, full = await self._both(self._sender, 1, self._patience)
        link = _too_big(full, local=True)
        if link and 0 < link.mtu < self._limit:
            self._limit = link.mtu
            full = await self._train(self._sender, self._limit, 1, self._patience)
        return small, full

    async def _conclude(
        self, small: TrainResult, full: TrainResult, told: NetError | None, least: int, tries: int
    ) -> tuple[SizeOutcome, int, str]:
        if full.received:
            return (SizeOutcome.LINK if self._limit < least else SizeOutcome.PASSED), self._limit, ""
        if small.misdelivered or full.misdelivered:
            return SizeOutcome.MISDELIVERED, 0, ""
        if small.starved or full.starved:
            return SizeOutcome.STARVED, 0, ""
        if not small.received:
            return SizeOutcome.SILENT, 0, ""
        if told:
            return SizeOutcome.TOLD, await self._search(small, told.mtu), told.by
        if small.received * 2 < tries:
            return SizeOutcome.UNCLEAR, 0, ""
        return SizeOutcome.VANISHED, await self._search(small, self._known), ""

    async def _search(self, small: TrainResult, guess: int) -> int:
        """Bisect between a small datagram and the limit, beginning at `guess`; return the biggest size that passed.

        The search ends early at the deadline.
        """
        wait = max(_STEP, 4 * max(small.rtts, default=0.0))
        low, high = MIN_REQUEST + self._headers, self._limit
        trials = [guess, guess + 1, self._floor]
        while high - low > 1 and self._deadline - time.monotonic() >= wait:
            size = next((trial for trial in trials if low < trial < high), (low + high) // 2)
            result = await self._train(self._searcher, size, _STEP_TRIES, wait)
            low, high = (size, high) if result.received else (low, size)
        return low

    async def _rate(self, mtu: int, count: int) -> float | None:
        left = self._deadline - time.monotonic()
        if not count or left < _STEP:
            return None
        return (await self._train(self._sender, mtu, count, left)).train.rate

    async def _both(self, sender: TrainSender, count: int, timeout: float) -> tuple[TrainResult, TrainResult]:
        small = self._train(sender, MIN_REQUEST + self._headers, count, timeout)
        return await asyncio.gather(small, self._train(sender, self._limit, count, timeout))

    async def _train(self, sender: TrainSender, size: int, count: int, timeout: float) -> TrainResult:
        self._number += 1
        timeout = max(min(timeout, self._deadline - time.monotonic()), 0.0)
        address, port = self._to
        return await sender.train(
            address,
            port,
            number=self._number & 0xFFFFFFFF,
            count=count,
            size=size - self._headers,
            timeout=timeout,
            flags=UNRECORDED if sender is self._searcher else UNRECORDED | UNHURRIED,
            meant=self._meant,
        )


def _too_big(result: TrainResult, *, local: bool) -> NetError | None:
    return next((error for error in result.errors if error.errno == errno.EMSGSIZE and error.local is local), None)
