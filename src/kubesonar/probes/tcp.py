"""TCP: whether a port accepts a connection, and what the kernel saw of the handshake."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.model import Check, Observation, Span
from kubesonar.net.deadline import Deadline
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.tcp.stream import Stream
from kubesonar.probes.attempt import Attempt
from kubesonar.probes.source import ProbeSource


class TcpOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """TCP connections, made and closed without a word."""

    reset: Annotated[
        bool,
        msgspec.Meta(
            description="End a successful connection with a reset instead of FIN: neither side keeps a TIME_WAIT and a "
            "conntrack entry goes after 10 s instead of 120, but many servers log it as an error."
        ),
    ] = False


class TcpProbe:
    """Connects and closes. A failed connect shows its SYN retransmits too; see `Attempt.observation` for the round
    trip."""

    def __init__(self, source: ProbeSource, options: TcpOptions) -> None:
        self._source = source
        self._options = options
        self._resolver = Resolver()

    async def __call__(self, check: Check) -> Observation:
        """See `Probe`."""
        return await Attempt(check, self._source).over_stream(self._resolver, self._after_connect)

    async def _after_connect(self, stream: Stream, deadline: Deadline, phases: list[Span]) -> str:
        if self._options.reset:
            stream.abort()
        return ""
