"""The kernel's facts about a TCP connection (TCP_INFO)."""

from __future__ import annotations

import socket
from struct import Struct as Layout

from kubesonar.model import Kernel

_SIZE = 256
_INFO = Layout("=16xI40xI4xII24xI")
"""struct tcp_info, include/uapi/linux/tcp.h: tcpi_snd_mss at byte 16, tcpi_pmtu 60, tcpi_rtt 68 and tcpi_rttvar 72
(both us), tcpi_total_retrans 100."""


def tcp_info(sock: socket.socket) -> Kernel | None:
    """Return the facts of a TCP socket, connected or not (a failed connect shows its SYN retransmits); None for any
    other socket and for a kernel that reports less."""
    try:
        data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    except OSError:
        return None
    if len(data) < _INFO.size:
        return None
    mss, path_mtu, rtt, rttvar, retransmits = _INFO.unpack_from(data)
    if not rtt:  # nothing was timed, so the deviation is the kernel's initial guess and no measurement
        rttvar = 0
    return Kernel(rtt / 1e6, rttvar / 1e6, retransmits, path_mtu, mss)
