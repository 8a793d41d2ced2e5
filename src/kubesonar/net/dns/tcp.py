"""Questions by TCP: a new connection for each, the message behind a two-byte length (RFC 1035, section 4.2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubesonar.model import Fault
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.transport import WIRE_LIMIT, DnsReply
from kubesonar.net.tcp.stream import Stream

if TYPE_CHECKING:
    from kubesonar.net.clock import Clock
    from kubesonar.net.dns.transport import DnsServer

_PREFIX = 2


async def ask_tcp(server: DnsServer, wire: bytes, timeout: float, clock: Clock) -> DnsReply:
    """Send the message `wire` to the server and return its reply within `timeout` seconds. A failure is in the reply;
    ValueError is raised where the server's address is no IP literal."""
    at, stream = clock.wall(), Stream()
    answer: bytes | None = None
    connected, fault, detail = 0.0, None, ""
    with Deadline(timeout, clock) as deadline:
        try:
            await stream.connect(server.address, server.port, deadline)
            connected = deadline.elapsed
            await stream.write(len(wire).to_bytes(_PREFIX, "big") + wire, deadline)
            answer = await _message(stream, deadline)
        except Failed as failed:
            fault, detail = failed.fault, failed.detail
        finally:
            stream.close()
        return DnsReply(
            at,
            deadline.elapsed,
            answer,
            connected=connected,
            source_port=stream.source_port,
            fault=fault,
            detail=detail,
        )


async def _message(stream: Stream, deadline: Deadline) -> bytes:
    got = bytearray()
    while missing := _missing(got):
        data = await stream.read(missing, deadline)
        if not data:
            raise Failed(Fault.RESET, f"closed after {len(got)} bytes of an answer")
        got += data
    return bytes(got[_PREFIX:])


def _missing(got: bytearray) -> int:
    """Bytes of the message that are still to come, as far as is known."""
    if len(got) < _PREFIX:
        return _PREFIX + WIRE_LIMIT - len(got)
    return max(_PREFIX + int.from_bytes(got[:_PREFIX], "big") - len(got), 0)
