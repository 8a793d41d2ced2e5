"""Search for the largest IP packet that passes whole (RFC 8899: by probing, because ICMP may be filtered)."""

from __future__ import annotations

import asyncio
import errno
import time
from enum import Enum

import msgspec

from kubesonar.core.address import family_of
from kubesonar.core.wire.codec import MIN_REQUEST, UNRECORDED
from kubesonar.net.cmsg import NetError
from kubesonar.net.udp.train import HEADERS
from kubesonar.net.udp.train_result import TrainResult
from kubesonar.net.udp.train_sender import DatagramEngine

FLOOR = {4: 576, 6: 1280}
"""What every path should pass (RFC 791 section 3.1: what every host takes; RFC 8200 section 5): the first step."""

_SHARE = 6
"""A silence is waited for a sixth of the timeout: one for the first try, one for the comparison, the rest to search."""

_STEP = 0.05
"""Shortest wait for one step of the search (s); on longer ways four round trips."""

_STEP_TRIES = 3


class SizeOutcome(Enum):
    """How the biggest packets fared."""

    PASSED = "passed"
    LINK = "link"
    """The own link takes less than it should."""
    TOLD = "told"
    """A router said "too big"."""
    VANISHED = "vanished"
    """They vanish silently while small ones pass."""
    UNCLEAR = "unclear"
    """Too many small ones are lost to tell."""
    SILENT = "silent"
    """Small ones do not pass either."""
    STARVED = "starved"
    """We were not running while answers could have come."""


class PathResult(msgspec.Struct, frozen=True):
    """`mtu` is the biggest IP packet that passed (0: none did), `limit` what the link or the ceiling allowed to try,
    `by` who said "too big", `small` the train of small datagrams that tells whether the path is there at all, `rate`
    the bottleneck's rate by a train of full size, in bits/s."""

    outcome: SizeOutcome
    mtu: int
    limit: int
    small: TrainResult
    by: str = ""
    rate: float | None = None


class PathSearch:
    """Searches, in one `timeout`, the path to one responder. `engine` forbids fragments (`whole=True`). `known` is what
    passed the last time that bigger ones did not (0: none), and is tried first."""

    def __init__(
        self, engine: DatagramEngine, address: str, port: int, *, timeout: float, ceiling: int, known: int, number: int
    ) -> None:
        self._engine = engine
        self._to = (address, port)
        self._headers = HEADERS[family_of(address)]
        self._floor = FLOOR[family_of(address)]
        self._deadline = time.monotonic() + timeout
        self._patience = timeout / _SHARE
        self._limit = ceiling
        self._known = known
        self._number = number

    async def run(self, *, least: int, tries: int, train: int) -> PathResult:
        """`least` is what the link must take, `tries` how many of either size are compared before big ones are said to
        vanish, `train` how many of full size measure the rate (0: none)."""
        small, full = await self._first()
        told = _too_big(full, local=False)
        if not full.received and not full.starved:
            small, full = await self._both(tries, self._patience)
        outcome, mtu, by = await self._judge(small, full, told or _too_big(full, local=False), least, tries)
        rate = await self._rate(mtu, train) if mtu else None
        return PathResult(outcome, mtu, self._limit, small, by, rate)

    async def _first(self) -> tuple[TrainResult, TrainResult]:
        """One small and one of full size; what the own link refuses costs no packet and tells its MTU."""
        small, full = await self._both(1, self._patience)
        link = _too_big(full, local=True)
        if link and 0 < link.mtu < self._limit:
            self._limit = link.mtu
            full = await self._train(self._limit, 1, self._patience)
        return small, full

    async def _judge(
        self, small: TrainResult, full: TrainResult, told: NetError | None, least: int, tries: int
    ) -> tuple[SizeOutcome, int, str]:
        if full.received:
            return (SizeOutcome.LINK if self._limit < least else SizeOutcome.PASSED), self._limit, ""
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
        """Bisects between a small datagram and the limit, by way of `guess`; ends early at the deadline, with what did
        pass by then."""
        wait = max(_STEP, 4 * max(small.rtts, default=0.0))
        low, high = MIN_REQUEST + self._headers, self._limit
        trials = [guess, guess + 1, self._floor]
        while high - low > 1 and self._deadline - time.monotonic() >= wait:
            size = next((trial for trial in trials if low < trial < high), (low + high) // 2)
            result = await self._train(size, _STEP_TRIES, wait)
            low, high = (size, high) if result.received else (low, size)
        return low

    async def _rate(self, mtu: int, count: int) -> float | None:
        left = self._deadline - time.monotonic()
        if not count or left < _STEP:
            return None
        return (await self._train(mtu, count, left)).rate

    async def _both(self, count: int, timeout: float) -> tuple[TrainResult, TrainResult]:
        small = self._train(MIN_REQUEST + self._headers, count, timeout)
        return await asyncio.gather(small, self._train(self._limit, count, timeout))

    async def _train(self, size: int, count: int, timeout: float) -> TrainResult:
        self._number += 1
        timeout = max(min(timeout, self._deadline - time.monotonic()), 0.0)
        address, port = self._to
        return await self._engine.train(
            address,
            port,
            number=self._number & 0xFFFFFFFF,
            count=count,
            size=size - self._headers,
            timeout=timeout,
            flags=UNRECORDED,
        )


def _too_big(result: TrainResult, *, local: bool) -> NetError | None:
    return next((error for error in result.errors if error.errno == errno.EMSGSIZE and error.local is local), None)
