"""ICMP: one echo request."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.model import Check, Observation
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.icmp.pinger import Pinger
from kubesonar.probes.attempt import Attempt, AttemptOutcome
from kubesonar.probes.source import ProbeSource


class IcmpOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """ICMP echo requests, all over one socket a family."""

    payload: Annotated[
        int, msgspec.Meta(ge=16, le=1400, description="Bytes of each request behind the ICMP header; 56 as ping does.")
    ] = 56


class IcmpProbe:
    """Sends one echo request to `Check.address`. Where that is not permitted, the fault accuses nobody."""

    def __init__(self, source: ProbeSource, pinger: Pinger, options: IcmpOptions) -> None:
        self._source = source
        self._pinger = pinger
        self._options = options
        self._resolver = Resolver()

    async def __call__(self, check: Check) -> Observation:
        """See `Probe`."""
        attempt = Attempt(check, self._source)
        try:
            with Deadline(check.timeout) as deadline:
                await attempt.resolve(self._resolver, deadline)
                echo = await self._pinger.ping(attempt.address, deadline, self._options.payload)
        except Failed as failed:
            return attempt.failed(failed)
        return attempt.observation(
            AttemptOutcome(echo.fault, echo.detail, rtt=echo.rtt, clock=echo.clock, received=int(echo.fault is None))
        )
