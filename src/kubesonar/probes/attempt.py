"""One attempt of a probe over a stream, from the start of its clock to its observation."""

from __future__ import annotations

import msgspec

from kubesonar.core.address import family_of, is_literal
from kubesonar.model import Check, Fault, Kernel, Observation, Phase, Rtt, Span, StampSource, clip
from kubesonar.net.clock import Clock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.probes.source import ProbeSource


class AttemptOutcome(msgspec.Struct, frozen=True):
    """What an attempt came to, beside when and to where. `phases` do not include the look-up; without
    `rtt` (s, by `clock`) the round trip is `kernel`'s."""

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
    """When it began and where it goes. To be made right before the first step."""

    def __init__(self, check: Check, source: ProbeSource, clock: Clock) -> None:
        self.at = clock.wall()
        self.address = check.address
        self._check = check
        self._source = source
        self._resolved: tuple[Span, ...] = ()

    async def resolve(self, resolver: Resolver, deadline: Deadline) -> None:
        """Turns a name into an address, the first one that the resolver gives. Raises `Failed`."""
        if is_literal(self.address):
            return
        name, self.address = self.address, ""
        found = await resolver.resolve(name, 0, deadline)
        self._resolved = (Span(Phase.DNS, 0.0, deadline.mono() - deadline.start),)
        self.address = found[0]

    def failed(self, failed: Failed) -> Observation:
        """The observation of an attempt that came to nothing before it had a connection."""
        return self.observation(AttemptOutcome(failed.fault, failed.detail))

    def observation(self, outcome: AttemptOutcome) -> Observation:
        """The observation. The round trip is the kernel's at the connect; a connect that needed more than one SYN has
        none, because the kernel times no segment that it sent twice (RFC 6298, section 3)."""
        kernel = outcome.kernel
        rtt = outcome.rtt or (kernel.rtt if kernel else 0.0)
        detail = outcome.detail
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
