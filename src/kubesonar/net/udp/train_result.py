"""The outcome of a train of datagrams, and the fault that it shows."""

from __future__ import annotations

import errno

import msgspec

from kubesonar.model import Fault, PortTally, StampSource
from kubesonar.net.errno_faults import fault_of
from kubesonar.net.kernel.cmsg import NetError

SOMEBODY_ELSE = "somebody else answers"
"""The detail of `Fault.MISDELIVERED`, which the address follows."""


class TrainResult(msgspec.Struct, frozen=True):
    """The outcome of one train.

    `at` is when it was sent (Unix seconds); `rtts` are the round trips (s) by `clock` in the order sent, without the
    time for which the responder held the datagram; `late` counts answers after the deadline; `reordered` counts answers
    overtaken by a later datagram's (RFC 4737), which is normal where source ports take different paths; `starved` is
    how late the own deadline fired (s) where that was so late that silence proves nothing, else 0; `errors` are those
    that the kernel and the network reported; `misdelivered`: another member than the one meant answered. `seen` and
    `rate` are as in `model.Train`. `full` is the IP packet of the datagram that filled the link's MTU (bytes, 0 where
    none was sent) and `full_received` whether it was answered; `sent`, `received`, `rtts` and `ports` are without it.
    """

    number: int
    at: float
    size: int
    sent: int
    received: int
    rtts: tuple[float, ...] = ()
    clock: StampSource = StampSource.KERNEL
    duplicates: int = 0
    reordered: int = 0
    late: int = 0
    seen: int = 0
    rate: float | None = None
    ports: tuple[PortTally, ...] = ()
    starved: float = 0.0
    mismatch: bool = False
    misdelivered: bool = False
    errors: tuple[NetError, ...] = ()
    full: int = 0
    full_received: bool = False

    @property
    def too_big(self) -> NetError | None:
        """The error by which the network refused the full-size datagram as too big; None where it did not."""
        lost = self.full and not self.full_received
        return next((error for error in self.errors if lost and _is_too_big(error)), None)

    def fault(self) -> tuple[Fault | None, str]:
        """Return the fault, None where there is none, and the text of its detail. Loss of a part is no fault."""
        if self.misdelivered:
            return Fault.MISDELIVERED, SOMEBODY_ELSE
        if self.received and (refusal := self.too_big):
            return Fault.TOO_BIG, f"{_speaker(refusal)} refuses {self.full} bytes as too big; {refusal.mtu} pass"
        if self.received == self.sent > 0:
            return None, ""
        if self.mismatch and not self.received:
            return Fault.MISMATCH, "version/key mismatch"
        errors = [error for error in self.errors if not (self.full and _is_too_big(error))]
        if errors and not self.received:
            return _told(errors[0])
        if self.starved:
            return Fault.LOCAL, f"event loop was {self.starved * 1000:.0f} ms late"
        return (None, "") if self.received else (Fault.TIMEOUT, f"none of {self.sent} answered")


def _told(error: NetError) -> tuple[Fault, str]:
    fault, words = fault_of(OSError(error.errno, ""))
    return fault, f"{words}, said by {_speaker(error)}"


def _speaker(error: NetError) -> str:
    return error.by or ("this machine" if error.local else "the network")


def _is_too_big(error: NetError) -> bool:
    return error.errno == errno.EMSGSIZE and not error.local
