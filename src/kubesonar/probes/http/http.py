"""HTTP and HTTPS: a GET of a URL at one address, every phase timed, the status judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from kubesonar.core.wire.identity import IDENTITY_HEADER
from kubesonar.model import Check, Fault, Observation, Path, Phase
from kubesonar.net.clock import Clock, SystemClock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.ca_contexts import CaContexts
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import Response
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.pool import ConnectionPool
from kubesonar.net.http.proxy.environment import NO_PROXIES, Proxies
from kubesonar.net.http.proxy.route import origin_of
from kubesonar.net.http.response_reader import ResponseLimits
from kubesonar.net.udp.train import SOMEBODY_ELSE
from kubesonar.probes.attempt import Attempt, AttemptOutcome
from kubesonar.probes.http.plan import HttpPlan, get, http_plan
from kubesonar.probes.http.terms import REFUSED, Bearer, Terms, withheld
from kubesonar.probes.http.tls_sessions import TlsSessions
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.target_identities import TargetIdentities

_SYSTEM = SystemClock()
_NO_TERMS = Terms()
_CONNECTING = frozenset({Phase.CONNECT, Phase.TLS})


class HttpOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """HTTP checks: GET, redirects not followed."""

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
        int, msgspec.Meta(ge=1024, le=10_485_760, description="More bytes of headers than this are a wrong answer.")
    ] = 1_048_576
    headers: Annotated[
        int, msgspec.Meta(ge=1, le=100_000, description="More lines of headers than this are a wrong answer.")
    ] = 10_000
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
    """Asks `Check.request` (a URL) of `Check.address`, which may be another than the URL's host (empty: the same): that
    host is the Host header and the name in the certificate. `Check.port` is the URL's where it is 0. `terms` are those
    of single checks, by id; `proxies` lead to URLs of path external, and are asked instead; `targets` tells which
    member has to answer. `close` it on the loop that it ran on."""

    def __init__(
        self,
        source: ProbeSource,
        options: HttpOptions,
        *,
        terms: Mapping[str, Terms] | None = None,
        resolver: Resolver | None = None,
        trust: CaContexts | None = None,
        proxies: Proxies = NO_PROXIES,
        targets: TargetIdentities | None = None,
        clock: Clock = _SYSTEM,
    ) -> None:
        self._source = source
        self._options = options
        self._limits = ResponseLimits(options.header_bytes, options.headers, options.body)
        self._terms = terms or {}
        self._resolver = resolver or Resolver()
        self._trust = trust or CaContexts()
        self._proxies = proxies
        self._targets = targets or TargetIdentities()
        self._clock = clock
        self._pool = ConnectionPool(options.connections if options.keep_alive else 0)
        self._sessions = TlsSessions(clock)

    async def __call__(self, check: Check) -> Observation:
        """See `Probe`. A check that cannot be asked at all is `Fault.OTHER`, with the reason."""
        attempt = Attempt(check, self._source, self._clock)
        try:
            # A member closes the connection with its answer: our end would wake it up once more, only to be read.
            last = not self._options.keep_alive and self._targets.meant_by(check) is not None
            plan = http_plan(check.request, check.expect, last)
            url = plan.url
            context = self._trust.context(check.trust or self._options.trust) if url.secure else None
            named = Origin(check.address or url.host, check.port or url.port, url.host, url.secure, context)
            if check.path is Path.EXTERNAL and not check.address and (proxy := self._proxies.of(url)) is not None:
                named = origin_of(url, context, proxy)
                plan = msgspec.structs.replace(plan, request=get(url, proxy=proxy))
            attempt.address = named.host
            with Deadline(check.timeout, self._clock) as deadline:
                addresses = await attempt.resolve(self._resolver, deadline)
                outcome = await self._ask(check, attempt, named, addresses, plan, deadline)
        except ValueError as error:
            return attempt.observation(AttemptOutcome(Fault.OTHER, str(error), sent=0))
        except Failed as failed:
            return attempt.failed(failed)
        return attempt.observation(outcome)

    def close(self) -> None:
        """Close idle connections and cancel look-ups."""
        self._pool.close()
        self._resolver.close()

    async def _ask(
        self,
        check: Check,
        attempt: Attempt,
        named: Origin,
        addresses: Sequence[str],
        plan: HttpPlan,
        deadline: Deadline,
    ) -> AttemptOutcome:
        """Ask one of the addresses of the origin `named`, and note in the attempt which one it was."""
        terms = self._terms.get(check.id, _NO_TERMS)
        session = self._sessions.get(named) if terms.full else None
        kept = (self._pool.take(_at(named, address)) for address in addresses)
        connection = next(filter(None, kept), None) or HttpConnection(named, addresses, keep=True, session=session)
        answered = False
        try:
            response = await connection.request(plan.request, deadline, self._limits)
            attempt.address, attempt.remark = response.address, response.remark
            origin = _at(named, response.address)
            meant = self._targets.meant_by(check)
            outcome = _judged(plan, response)
            if meant is not None and meant.contradicts(response.header(IDENTITY_HEADER)):
                detail = f"{SOMEBODY_ELSE} at {check.address}"
                outcome = msgspec.structs.replace(outcome, fault=Fault.MISDELIVERED, detail=detail)
            if response.status in REFUSED and terms.bearer is not None and outcome.fault is not None:
                outcome = await self._as_bearer(terms.bearer, check, origin, plan, connection, outcome, deadline)
            answered = outcome.code is not None
        finally:
            if not answered:
                self._sessions.drop(named)
                connection.close()
        if terms.full:
            self._sessions.keep(named, connection.session, terms.full)
        self._pool.give(origin, connection)
        return outcome

    async def _as_bearer(
        self,
        bearer: Bearer,
        check: Check,
        origin: Origin,
        plan: HttpPlan,
        connection: HttpConnection,
        refused: AttemptOutcome,
        deadline: Deadline,
    ) -> AttemptOutcome:
        """Ask again with the token, over the very connection that was refused without."""
        reason = withheld(bearer, check, origin)
        if reason:
            return msgspec.structs.replace(refused, detail=f"{refused.detail}; no token is shown: {reason}")
        try:
            token = bearer.token()
        except Failed as failed:
            return msgspec.structs.replace(refused, fault=failed.fault, detail=f"{refused.detail}; {failed.detail}")
        response = await connection.request(get(plan.url, token), deadline, self._limits)
        outcome = _judged(plan, response)
        phases = tuple(span for span in refused.phases if span.phase in _CONNECTING) + response.phases
        return msgspec.structs.replace(outcome, phases=phases, kernel=outcome.kernel or refused.kernel)


def _at(named: Origin, address: str) -> Origin:
    """Return the origin at one of its addresses."""
    return named if named.host == address else msgspec.structs.replace(named, host=address)


def _judged(plan: HttpPlan, response: Response) -> AttemptOutcome:
    fault, detail = response.fault, response.detail
    if fault is None and not plan.lowest <= response.status <= plan.highest:
        fault = Fault.WRONG_ANSWER
        wanted = str(plan.lowest) if plan.lowest == plan.highest else f"{plan.lowest}-{plan.highest}"
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
