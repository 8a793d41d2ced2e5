"""HTTP and HTTPS: a URL asked of one address, every phase stamped, the status judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from kubesonar.model import Check, Fault, Observation, Phase
from kubesonar.net.clock import Clock, SystemClock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.ca_contexts import Trust
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import Response
from kubesonar.net.http.response_reader import ResponseLimits
from kubesonar.probes.attempt import Attempt, AttemptOutcome
from kubesonar.probes.connections import PeerConnection, ProbeConnections
from kubesonar.probes.http_plan import HttpPlan, get, http_plan
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.terms import NONE, REFUSED, Bearer, Terms, withheld

_SYSTEM = SystemClock()
_CONNECTING = frozenset({Phase.CONNECT, Phase.TLS})


class HttpOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """HTTP requests (GET), redirects not followed."""

    keep_alive: Annotated[
        bool,
        msgspec.Meta(
            description="Ask over a connection kept open between checks. It costs a third, but tries the way that an "
            "old connection takes: a new one may fail unnoticed."
        ),
    ] = False
    connections: Annotated[
        int, msgspec.Meta(ge=1, le=4096, description="Most connections kept open between checks.")
    ] = 64
    header_bytes: Annotated[
        int, msgspec.Meta(ge=1024, le=1_048_576, description="More bytes of headers than this are a wrong answer.")
    ] = 32_768
    headers: Annotated[int, msgspec.Meta(ge=1, le=1000, description="More headers than this are a wrong answer.")] = 100
    body: Annotated[
        int,
        msgspec.Meta(
            ge=0, le=16_777_216, description="Bytes of the body to read before the check is done; 0 reads its first."
        ),
    ] = 65_536
    trust: Annotated[
        str, msgspec.Meta(description="File of CA certificates for checks that name none; empty: the system's.")
    ] = ""


class HttpProbe:
    """Asks `Check.request` (a URL) of `Check.address`, which need not be the URL's host (but is where it is empty):
    that host is the Host header and the name in the certificate. `Check.port` is the URL's unless given. `terms` are
    those of single checks, by id. `close` it on the loop that it ran on."""

    def __init__(
        self,
        source: ProbeSource,
        options: HttpOptions,
        *,
        terms: Mapping[str, Terms] | None = None,
        resolver: Resolver | None = None,
        trust: Trust | None = None,
        clock: Clock = _SYSTEM,
    ) -> None:
        self._source = source
        self._options = options
        self._limits = ResponseLimits(options.header_bytes, options.headers, options.body)
        self._terms = terms or {}
        self._resolver = resolver or Resolver()
        self._trust = trust or Trust()
        self._clock = clock
        self._connections = ProbeConnections(options.keep_alive, options.connections, clock)

    async def __call__(self, check: Check) -> Observation:
        """See `Probe`. A check that cannot be asked at all is `Fault.OTHER`, with the reason."""
        attempt = Attempt(check, self._source, self._clock)
        try:
            asked = http_plan(check.request, check.expect)
            context = self._trust.context(check.trust or self._options.trust) if asked.url.secure else None
            attempt.address = check.address or asked.url.host
            with Deadline(check.timeout, self._clock) as deadline:
                await attempt.resolve(self._resolver, deadline)
                peer = PeerConnection(attempt.address, check.port or asked.url.port, asked.url.host, context)
                outcome = await self._ask(check, peer, asked, deadline)
        except ValueError as error:
            return attempt.observation(AttemptOutcome(Fault.OTHER, str(error), sent=0))
        except Failed as failed:
            return attempt.failed(failed)
        return attempt.observation(outcome)

    def close(self) -> None:
        """Closes the connections that are kept."""
        self._connections.close()

    async def _ask(self, check: Check, peer: PeerConnection, asked: HttpPlan, deadline: Deadline) -> AttemptOutcome:
        terms = self._terms.get(check.id, NONE)
        connection = self._connections.take(peer, terms.full > 0)
        answered = False
        try:
            response = await connection.request(asked.request, deadline, self._limits)
            outcome = _judged(asked, response)
            if response.status in REFUSED and terms.bearer is not None and outcome.fault is not None:
                outcome = await self._as_bearer(terms.bearer, check, peer, connection, outcome, deadline)
            answered = outcome.code is not None
        finally:
            if answered:
                self._connections.give(peer, connection, terms.full)
            else:
                self._connections.drop(peer, connection)
        return outcome

    async def _as_bearer(
        self,
        bearer: Bearer,
        check: Check,
        peer: PeerConnection,
        connection: HttpConnection,
        refused: AttemptOutcome,
        deadline: Deadline,
    ) -> AttemptOutcome:
        """Asks again with the token, over the very connection that was refused without."""
        asked = http_plan(check.request, check.expect)
        reason = withheld(bearer, check, peer.address, peer.port, asked.url, peer.context)
        if reason:
            return msgspec.structs.replace(refused, detail=f"{refused.detail}; no token is shown: {reason}")
        try:
            token = bearer.token()
        except Failed as failed:
            return msgspec.structs.replace(refused, fault=failed.fault, detail=f"{refused.detail}; {failed.detail}")
        response = await connection.request(get(asked.url, token), deadline, self._limits)
        outcome = _judged(asked, response)
        phases = tuple(span for span in refused.phases if span.phase in _CONNECTING) + response.phases
        return msgspec.structs.replace(outcome, phases=phases, kernel=outcome.kernel or refused.kernel)


def _judged(asked: HttpPlan, response: Response) -> AttemptOutcome:
    fault, detail = response.fault, response.detail
    if fault is None and not asked.lowest <= response.status <= asked.highest:
        fault = Fault.WRONG_ANSWER
        wanted = str(asked.lowest) if asked.lowest == asked.highest else f"{asked.lowest}-{asked.highest}"
        detail = f"status {response.status} instead of {wanted}"
    return AttemptOutcome(
        fault=fault,
        detail=detail,
        phases=response.phases,
        kernel=response.kernel,
        source_port=response.source_port,
        code=response.status or None,
        received=int(response.status > 0),
    )
