"""One ICMP echo request on its way, and its outcome."""

from __future__ import annotations

import asyncio
import os
import secrets
import time

import msgspec

from kubesonar.model import Fault, StampSource
from kubesonar.net.deadline import wake
from kubesonar.net.errno_faults import fault_of
from kubesonar.net.kernel.cmsg import NetError

NONCE = 16
"""Random bytes in each request (bytes), so that only a receiver of the request can answer it; the least payload."""


class EchoResult(msgspec.Struct, frozen=True):
    """The outcome of one request: a round trip (s) by `clock`, or a fault."""

    rtt: float = 0.0
    clock: StampSource = StampSource.USER
    fault: Fault | None = None
    detail: str = ""


class PendingEcho:
    """One request that waits for its reply.

    `left` and `arrived` are the kernel's stamps (ns of the wall clock), None where it gave none; `began` and `ended`
    (ns, monotonic) and `wall` (ns of the wall clock at sending) are those of this process.
    """

    def __init__(self, address: str, size: int, waiter: asyncio.Future[bool]) -> None:
        self.address = address
        self.payload = secrets.token_bytes(NONCE) + bytes(size - NONCE)
        self.left: int | None = None
        self.arrived: int | None = None
        self.began = self.ended = self.wall = 0
        self.fault: tuple[Fault, str] | None = None
        self.waiter = waiter

    def answered(self, stamp: int | None) -> None:
        """Record the arrival of the reply and end the wait."""
        self.ended, self.arrived = time.monotonic_ns(), stamp
        wake(self.waiter)

    def failed(self, error: NetError) -> None:
        """Record an error that the kernel reported and end the wait."""
        fault, words = fault_of(OSError(error.errno, ""))
        if not error.local and fault is not Fault.TOO_BIG:
            fault, words = Fault.UNREACHABLE, os.strerror(error.errno).lower()
        self.refused(fault, words, error.by)

    def refused(self, fault: Fault, words: str, by: str) -> None:
        """Record that the request cannot arrive, by the word of the host `by`, and end the wait."""
        self.fault = fault, f"{words}, says {by}" if by else words
        wake(self.waiter)

    def result(self) -> EchoResult:
        """Return the round trip, by the kernel's clock where it stamped both ends."""
        if self.arrived and self.left and self.arrived > self.left:
            return EchoResult((self.arrived - self.left) / 1e9, StampSource.KERNEL)
        if self.arrived and self.arrived > self.wall:
            return EchoResult((self.arrived - self.wall) / 1e9)
        return EchoResult((self.ended - self.began) / 1e9 if not self.arrived else 0.0)
