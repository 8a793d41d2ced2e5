"""TCP: whether a port accepts a connection, and what the kernel saw of the handshake."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.model import Check, Observation, Phase, Span
from kubesonar.net.clock import Clock, SystemClock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.tcp.stream import Stream
from kubesonar.probes.attempt import Attempt, AttemptOutcome
from kubesonar.probes.source import ProbeSource

_SYSTEM = SystemClock()


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

    def __init__(
        self, source: ProbeSource, options: TcpOptions, *, resolver: Resolver | None = None, clock: Clock = _SYSTEM
    ) -> None:
        self._source = source
        self._options = options
        self._resolver = resolver or Resolver()
        self._clock = clock

    async def __call__(self, check: Check) -> Observation:
        """See `Probe`."""
        attempt = Attempt(check, self._source, self._clock)
        stream = Stream()
        try:
            with Deadline(check.timeout, self._clock) as deadline:
                await attempt.resolve(self._resolver, deadline)
                began = deadline.elapsed
                await stream.connect(attempt.address, check.port, deadline)
                phase = Span(Phase.CONNECT, began, deadline.elapsed)
            if not self._options.reset:
                stream.close()
            return attempt.observation(
                AttemptOutcome(phases=(phase,), kernel=stream.kernel, source_port=stream.source_port, received=1)
            )
        except Failed as failed:
            return attempt.observation(
                AttemptOutcome(failed.fault, failed.detail, kernel=stream.kernel, source_port=stream.source_port)
            )
        finally:
            stream.abort()
