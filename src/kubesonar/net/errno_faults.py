"""The fault that an error of the operating system stands for."""

from __future__ import annotations

import errno
import os

from kubesonar.model import Fault, clip

FAULTS: dict[int, Fault] = {
    errno.ECONNREFUSED: Fault.REFUSED,
    errno.ENOENT: Fault.REFUSED,
    errno.ECONNRESET: Fault.RESET,
    errno.ECONNABORTED: Fault.RESET,
    errno.EPIPE: Fault.RESET,
    errno.ENOTCONN: Fault.RESET,
    errno.ETIMEDOUT: Fault.TIMEOUT,
    errno.ENETUNREACH: Fault.UNREACHABLE,
    errno.EHOSTUNREACH: Fault.UNREACHABLE,
    errno.ENETDOWN: Fault.UNREACHABLE,
    errno.EHOSTDOWN: Fault.UNREACHABLE,
    errno.EMFILE: Fault.LOCAL,
    errno.ENFILE: Fault.LOCAL,
    errno.ENOBUFS: Fault.LOCAL,
    errno.ENOMEM: Fault.LOCAL,
    errno.EADDRNOTAVAIL: Fault.LOCAL,
    errno.EAGAIN: Fault.LOCAL,
    errno.EPERM: Fault.NOT_PERMITTED,
    errno.EACCES: Fault.NOT_PERMITTED,
    errno.EMSGSIZE: Fault.TOO_BIG,
}
"""Errors of include/uapi/asm-generic/errno.h that sockets give, and the fault of the probe that each means.

`EADDRNOTAVAIL` is local since a client gets it when its own source ports are used up (tcp(7), ip_local_port_range);
connect gives `EAGAIN` on a Unix socket whose queue is full, or without memory for routing (connect(2)); `ENOENT` means
that no process has bound a Unix socket, `ENOTCONN` that the connection was reset between two calls."""


def fault_of(error: OSError) -> tuple[Fault, str]:
    """Return the fault that `error` stands for, and the text of its detail.

    An error that is not listed here is `Fault.OTHER`, which accuses nobody.
    """
    if isinstance(error, TimeoutError) and error.errno is None:
        return Fault.TIMEOUT, "timed out"
    number = error.errno or 0
    fault = FAULTS.get(number, Fault.OTHER)
    if not number:
        return fault, clip(str(error) or type(error).__name__)
    name = errno.errorcode.get(number, str(number))
    return fault, clip(f"{os.strerror(number)} ({name})")
