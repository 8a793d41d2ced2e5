"""Classic BPF programs (bpf(4) of BSD, Documentation/networking/filter.rst of Linux), which the kernel runs for each
packet of a socket. Attaching one needs no privilege."""

from __future__ import annotations

import socket
from array import array
from collections.abc import Iterable
from struct import Struct as Layout

SO_ATTACH_FILTER = 26  # include/uapi/asm-generic/socket.h, this and the next
SO_ATTACH_REUSEPORT_CBPF = 51

_INSTRUCTION = Layout("=HBBI")  # struct sock_filter, include/uapi/linux/filter.h
_PROGRAM = Layout("@HP")  # struct sock_fprog

Instruction = tuple[int, int, int, int]
"""Code (include/uapi/linux/bpf_common.h), jumps if true and if false, operand."""


def assemble(instructions: Iterable[Instruction]) -> bytes:
    """Return the program in the kernel's layout."""
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in instructions)


def attach(endpoint: socket.socket, option: int, program: bytes) -> None:
    """Attach a program to a socket, in place of the one before. Raises OSError where the kernel refuses it."""
    code = array("B", program)
    address, size = code.buffer_info()
    endpoint.setsockopt(socket.SOL_SOCKET, option, _PROGRAM.pack(size // _INSTRUCTION.size, address))
