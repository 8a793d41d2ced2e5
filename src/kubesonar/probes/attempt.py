"""One attempt of a TCP, TLS, HTTP or ICMP probe, from its start to its observation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from kubesonar.core.address import family_of, is_literal
from kubesonar.model import Check, Fault, Kernel, Observation, Phase, Rtt, Span, StampSource, clip
from kubesonar.net.clock import Clock, SystemClock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.tcp.dialer import Dialer
from kubesonar.net.tcp.stream import Stream
from kubesonar.probes.source import ProbeSource

_SYSTEM = SystemClock()

AfterConnect = Callable[[Stream, Deadline, list[Span]], Awaitable[str]]
"""A step over a connected stream: adds the phases that it completes and returns a detail. Raises `Failed`."""


class AttemptOutcome(msgspec.Struct, frozen=True):
    """The outcome of an attempt. `phases` do not include the look-up; where `rtt` (s, by `clock`) is 0 the round trip
    is that of `kernel`."""

    fault: Fault | None = None
    detail: str = ""
    phases: tuple[Span, ...] = ()
    kernel: Kernel | None = None
    rtt: float = 0.0
    clock: StampSource = StampSource.KERNEL
    source_port: int = 0
    code: int | None = None
    sent: int = 1
    received: int = 0


class Attempt:
    """The start and the address of an attempt, which is made right before its first step. `remark` tells which
    addresses of the name did not accept though another one did."""

    def __init__(self, check: Check, source: ProbeSource, clock: Clock = _SYSTEM) -> None:
        self.at = clock.wall()
        self.address = check.address
        self.remark = ""
        self._check = check
        self._source = source
        self._resolved: tuple[Span, ...] = ()

    async def resolve(self, resolver: Resolver, deadline: Deadline) -> list[str]:
        """Return the addresses to try, those of the check's family where it names one; the first becomes `address`.
        Raises `Failed`."""
        if is_literal(self.address):
            return [self.address]
        name, self.address = self.address, ""
        found = await resolver.resolve(name, deadline, self._check.family)
        self._resolved = (Span(Phase.DNS, 0.0, deadline.elapsed),)
        self.address = found[0]
        return found

    async def over_stream(self, resolver: Resolver, then: AfterConnect) -> Observation:
        """Connect to the check's port within its timeout, do `then`, close, and return the observation."""
        phases, detail = list[Span](), ""
        failed: Failed | None = None
        stream: Stream | None = None
        try:
            with Deadline(self._check.timeout) as deadline:
                addresses = await self.resolve(resolver, deadline)
                dialer, began = Dialer(_stream, addresses, self._check.port), deadline.elapsed
                try:
                    connected = await dialer.connect(deadline)
                finally:
                    stream, self.address = dialer.wire, dialer.address
                self.remark = dialer.remark
                phases.append(Span(Phase.CONNECT, began, deadline.elapsed))
                detail = await then(connected, deadline, phases)
            connected.close()
        except Failed as error:
            failed = error
        finally:
            if stream is not None:
                stream.abort()
        return self.observation(
            AttemptOutcome(
                failed.fault if failed else None,
                failed.detail if failed else detail,
                phases=tuple(phases),
                kernel=stream.kernel if stream else None,
                source_port=stream.source_port if stream else 0,
                received=int(bool(phases)),
            )
        )

    def failed(self, failed: Failed) -> Observation:
        """Return the observation of an attempt that failed before it had a connection."""
        return self.observation(AttemptOutcome(failed.fault, failed.detail))

    def observation(self, outcome: AttemptOutcome) -> Observation:
        """Return the observation. Its round trip is the kernel's at the connect; a connect that needed more than one
        SYN has none, because the kernel times no segment that it sent twice (RFC 6298, section 3)."""
        kernel = outcome.kernel
        rtt = outcome.rtt or (kernel.rtt if kernel else 0.0)
        detail = "; ".join(filter(None, (outcome.detail, self.remark)))
        if kernel and kernel.retransmits:
            detail = f"{detail}; {kernel.retransmits} segments sent again".removeprefix("; ")
        return Observation(
            check=self._check,
            source=self._source.name,
            network=self._source.network,
            at=self.at,
            address=self.address,
            family=family_of(self.address),
            source_port=outcome.source_port,
            fault=outcome.fault,
            phases=self._resolved + outcome.phases,
            code=outcome.code,
            sent=outcome.sent,
            received=outcome.received,
            rtt=Rtt(rtt, rtt, rtt, outcome.clock) if rtt else None,
            kernel=kernel,
            detail=clip(detail) if detail else "",
        )


def _stream(patience: float) -> Stream:
    return Stream(patience=patience)
