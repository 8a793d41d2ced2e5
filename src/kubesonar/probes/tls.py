"""TLS: the handshake, the certificate's chain and name; says which of them failed and until when the certificate is
good."""

from __future__ import annotations

import ssl
from typing import Annotated

import msgspec

from kubesonar.model import Check, Observation, Phase, Span
from kubesonar.net.clock import Clock, SystemClock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.ca_contexts import CaContexts
from kubesonar.net.tcp.stream import Stream
from kubesonar.probes.attempt import Attempt, AttemptOutcome
from kubesonar.probes.source import ProbeSource

_SYSTEM = SystemClock()
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class TlsOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """TLS handshakes, each a full one (about 2 ms of CPU; session tickets would hide the certificate)."""

    trust: Annotated[
        str,
        msgspec.Meta(description="File of CA certificates for checks that name none; empty: the system's."),
    ] = ""


class TlsProbe:
    """Shakes hands as `Check.request` (a server name; empty: the check's address). `detail` says until when the
    certificate is good."""

    def __init__(
        self,
        source: ProbeSource,
        options: TlsOptions,
        *,
        resolver: Resolver | None = None,
        trust: CaContexts | None = None,
        clock: Clock = _SYSTEM,
    ) -> None:
        self._source = source
        self._options = options
        self._resolver = resolver or Resolver()
        self._trust = trust or CaContexts()
        self._clock = clock

    async def __call__(self, check: Check) -> Observation:
        """See `Probe`."""
        attempt = Attempt(check, self._source, self._clock)
        stream = Stream()
        phases: list[Span] = []
        failed: Failed | None = None
        detail = ""
        try:
            context = self._trust.context(check.trust or self._options.trust)
            with Deadline(check.timeout, self._clock) as deadline:
                await attempt.resolve(self._resolver, deadline)
                await self._shake(stream, attempt.address, check, context, deadline, phases)
            detail = _certificate(stream.secure)
            stream.close()
        except Failed as error:
            failed = error
        finally:
            stream.abort()
        return attempt.observation(
            AttemptOutcome(
                fault=failed.fault if failed else None,
                detail=failed.detail if failed else detail,
                phases=tuple(phases),
                kernel=stream.kernel,
                source_port=stream.source_port,
                received=int(bool(phases)),
            )
        )

    async def _shake(
        self,
        stream: Stream,
        address: str,
        check: Check,
        context: ssl.SSLContext,
        deadline: Deadline,
        phases: list[Span],
    ) -> None:
        began = deadline.elapsed
        await stream.connect(address, check.port, deadline)
        connected = deadline.elapsed
        phases.append(Span(Phase.CONNECT, began, connected))
        await stream.start_tls(context, check.request or check.address, deadline)
        phases.append(Span(Phase.TLS, connected, deadline.elapsed))


def _certificate(secure: ssl.SSLSocket | None) -> str:
    """Until when it is good, as a date. `notAfter` is "Jun  1 12:00:00 2027 GMT" (ssl.SSLSocket.getpeercert)."""
    words = str((secure.getpeercert() or {}).get("notAfter", "") if secure else "").split()
    if len(words) < 4 or words[0] not in _MONTHS:
        return ""
    return f"certificate good until {words[3]}-{_MONTHS.index(words[0]) + 1:02}-{int(words[1]):02}"
