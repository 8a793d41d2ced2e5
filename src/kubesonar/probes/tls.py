"""TLS: the handshake, the certificate's chain and its name: which of them failed, and until when the certificate is
good."""

from __future__ import annotations

import ssl
from typing import Annotated

import msgspec

from kubesonar.model import Check, Observation, Phase, Span
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.ca_contexts import CaContexts
from kubesonar.net.tcp.stream import Stream
from kubesonar.probes.attempt import Attempt
from kubesonar.probes.source import ProbeSource

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class TlsOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """TLS handshakes, each a full one (about 2 ms of CPU; session tickets would hide the certificate)."""

    trust: Annotated[
        str,
        msgspec.Meta(description="File of CA certificates for checks that name none; empty: the system's."),
    ] = ""


class TlsProbe:
    """Shakes hands as `Check.request` (a server name; empty: the check's address). The observation's detail is the date
    until which the certificate is good."""

    def __init__(self, source: ProbeSource, options: TlsOptions) -> None:
        self._source = source
        self._options = options
        self._resolver = Resolver()
        self._contexts = CaContexts()

    async def __call__(self, check: Check) -> Observation:
        """See `Probe`."""
        attempt, name = Attempt(check, self._source), check.request or check.address
        try:
            context = self._contexts.context(check.trust or self._options.trust)
        except Failed as failed:
            return attempt.failed(failed)

        async def shake(stream: Stream, deadline: Deadline, phases: list[Span]) -> str:
            began = deadline.elapsed
            await stream.start_tls(context, name, deadline)
            phases.append(Span(Phase.TLS, began, deadline.elapsed))
            return _certificate(stream.secure)

        return await attempt.over_stream(self._resolver, shake)


def _certificate(secure: ssl.SSLSocket | None) -> str:
    """The date until which it is good, empty without one. `notAfter` is "Jun  1 12:00:00 2027 GMT"
    (ssl.SSLSocket.getpeercert)."""
    words = str((secure.getpeercert() or {}).get("notAfter", "") if secure else "").split()
    if len(words) < 4 or words[0] not in _MONTHS:
        return ""
    return f"certificate good until {words[3]}-{_MONTHS.index(words[0]) + 1:02}-{int(words[1]):02}"
