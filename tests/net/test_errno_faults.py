from __future__ import annotations

import errno
import socket

import pytest

from kubesonar.model import Fault
from kubesonar.net.errno_faults import fault_of


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (errno.ECONNREFUSED, Fault.REFUSED),
        (errno.ECONNRESET, Fault.RESET),
        (errno.EPIPE, Fault.RESET),
        (errno.ETIMEDOUT, Fault.TIMEOUT),
        (errno.EHOSTUNREACH, Fault.UNREACHABLE),
        (errno.ENETUNREACH, Fault.UNREACHABLE),
        (errno.EMFILE, Fault.LOCAL),
        (errno.EADDRNOTAVAIL, Fault.LOCAL),
        (errno.EPERM, Fault.NOT_PERMITTED),
        (errno.EACCES, Fault.NOT_PERMITTED),
        (errno.EMSGSIZE, Fault.TOO_BIG),
        (errno.EBADMSG, Fault.OTHER),
    ],
)
def test_every_error_has_its_fault_and_its_name(number: int, fault: Fault) -> None:
    found, detail = fault_of(OSError(number, "anything"))
    assert found is fault
    assert errno.errorcode[number] in detail


def test_a_refused_connection_of_the_real_kernel() -> None:
    with socket.socket() as listener, socket.socket() as client:
        listener.bind(("127.0.0.1", 0))
        with pytest.raises(OSError) as refused:
            client.connect(listener.getsockname())
    assert fault_of(refused.value) == (Fault.REFUSED, "Connection refused (ECONNREFUSED)")


def test_a_timeout_without_a_number_is_a_timeout() -> None:
    assert fault_of(TimeoutError())[0] is Fault.TIMEOUT


def test_an_error_without_a_number_accuses_nobody() -> None:
    assert fault_of(OSError("odd")) == (Fault.OTHER, "odd")
