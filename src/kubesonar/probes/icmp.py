"""ICMP: one echo request."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.model import Check, Observation
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.icmp.echo import EchoResult
from kubesonar.net.icmp.pinger import Pinger
from kubesonar.net.tcp.dialer import Dialer
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
                addresses = await attempt.resolve(self._resolver, deadline)
                dialer = Dialer(self._echo, addresses, 0)
                try:
                    echo = await dialer.connect(deadline)
                finally:
                    attempt.address = dialer.address
                attempt.remark = dialer.remark
        except Failed as failed:
            return attempt.failed(failed)
        return attempt.observation(AttemptOutcome(rtt=echo.result.rtt, clock=echo.result.clock, received=1))

    def _echo(self, patience: float) -> _Echo:
        return _Echo(self._pinger, self._options.payload, patience)


class _Echo:
    """One echo, as an attempt at one address that may take `patience` seconds; `result` is there once it succeeded."""

    def __init__(self, pinger: Pinger, payload: int, patience: float) -> None:
        self.result = EchoResult()
        self._pinger = pinger
        self._payload = payload
        self._patience = patience

    async def connect(self, address: str, port: int, deadline: Deadline) -> None:
        """Send the request and wait for its reply."""
        with deadline.sooner(self._patience) as sooner:
            self.result = await self._pinger.ping(address, sooner, self._payload)
        if self.result.fault is not None:
            raise Failed(self.result.fault, self.result.detail)

    def abort(self) -> None:
        """Do nothing: the request is on its way."""
