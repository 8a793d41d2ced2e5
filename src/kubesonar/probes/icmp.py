"""ICMP: one echo request."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.model import Check, Observation
from kubesonar.net.clock import Clock, SystemClock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.icmp.pinger import Pinger
from kubesonar.probes.attempt import Attempt, AttemptOutcome
from kubesonar.probes.source import ProbeSource

_SYSTEM = SystemClock()


class IcmpOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """ICMP echo requests, all over one socket a family."""

    payload: Annotated[
        int, msgspec.Meta(ge=16, le=1400, description="Bytes of each request behind the ICMP header; 56 as ping does.")
    ] = 56


class IcmpProbe:
    """Asks `Check.address` once. Without the permission to, the observation says so and accuses nobody."""

    def __init__(
        self,
        source: ProbeSource,
        pinger: Pinger,
        options: IcmpOptions,
        *,
        resolver: Resolver | None = None,
        clock: Clock = _SYSTEM,
    ) -> None:
        self._source = source
        self._pinger = pinger
        self._options = options
        self._resolver = resolver or Resolver()
        self._clock = clock

    async def __call__(self, check: Check) -> Observation:
        """See `Probe`."""
        attempt = Attempt(check, self._source, self._clock)
        try:
            with Deadline(check.timeout, self._clock) as deadline:
                await attempt.resolve(self._resolver, deadline)
                echo = await self._pinger.ping(attempt.address, deadline, self._options.payload)
        except Failed as failed:
            return attempt.failed(failed)
        return attempt.observation(
            AttemptOutcome(echo.fault, echo.detail, rtt=echo.rtt, clock=echo.clock, received=int(echo.fault is None))
        )
