"""The kernel runs our programs."""

from __future__ import annotations

import socket

import pytest

from kubesonar.net.kernel.bpf import SO_ATTACH_FILTER, assemble, attach

UDP_HEADER = 8
PASS_K_ONLY = assemble([(0x30, 0, 0, UDP_HEADER), (0x15, 0, 1, ord("k")), (0x06, 0, 0, 0xFFFF), (0x06, 0, 0, 0)])


def test_a_filter_holds_for_what_comes_after_it() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taking,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as giving,
    ):
        taking.bind(("127.0.0.1", 0))
        taking.settimeout(5)
        for data in (b"before", b"a", b"k1", b"", b"k2"):
            giving.sendto(data, taking.getsockname())
            if data == b"before":
                attach(taking, SO_ATTACH_FILTER, PASS_K_ONLY)
        assert [taking.recv(10) for _ in range(3)] == [b"before", b"k1", b"k2"]


@pytest.mark.parametrize("program", [b"", assemble([(0x30, 0, 0, 0)]), assemble([(0x15, 9, 9, 0), (0x06, 0, 0, 0)])])
def test_a_program_that_does_not_end_is_refused(program: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint, pytest.raises(OSError, match="Invalid"):
        attach(endpoint, SO_ATTACH_FILTER, program)
