"""What became of a train of datagrams, and what that says."""

from __future__ import annotations

import msgspec

from kubesonar.model import Fault, PortTally, StampSource
from kubesonar.net.cmsg import NetError
from kubesonar.net.errno_faults import fault_of


class TrainResult(msgspec.Struct, frozen=True):
    """What became of one train. `at` is when it was sent (wall clock), `rtts` the round trips in seconds without the
    responder's holding time, in the order sent, all by `clock`; `late` are answers that came after the deadline,
    `starved` how late (s) our own deadline fired where that was so late that silence proves nothing, `errors` what
    the kernel and the network reported. `reordered` counts answers overtaken by a later datagram's (RFC 4737), which
    is normal where source ports take different paths. `seen` and `rate` as in `model.Train`."""

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
    errors: tuple[NetError, ...] = ()

    def fault(self) -> tuple[Fault | None, str]:
        """What is wrong, and a word for the detail. Loss of a part is no fault: it is `sent` and `received`."""
        if self.received == self.sent > 0:
            return None, ""
        if self.mismatch and not self.received:
            return Fault.MISMATCH, "version/key mismatch"
        if self.errors and not self.received:
            return self._error()
        if self.starved:
            return Fault.LOCAL, f"event loop was {self.starved * 1000:.0f} ms late"
        return (None, "") if self.received else (Fault.TIMEOUT, f"none of {self.sent} answered")

    def _error(self) -> tuple[Fault, str]:
        error = self.errors[0]
        fault, words = fault_of(OSError(error.errno, ""))
        return fault, f"{words}, said by {error.by or ('this machine' if error.local else 'the network')}"
