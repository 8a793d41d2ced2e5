"""One request of a check, and the observation it becomes."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from kubesonar.compat.kubenurse.checks.proxies import Proxy
from kubesonar.compat.kubenurse.redirect import MAX_REDIRECTS, STATUSES, follow
from kubesonar.core.address import family_of, is_literal
from kubesonar.model import Check, Fault, Observation, Phase, Span
from kubesonar.net.clock import SystemClock
from kubesonar.net.deadline import Deadline
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.exchange import Response
from kubesonar.net.http.url import Url
from kubesonar.probes.source import ProbeSource

TOTAL = 6.0
"""Seconds for a whole check, redirects included."""
DIAL = 5.0
"""Seconds for a name and a connection, less than `TOTAL`, so that a dead address is told from a silent server."""

_ADDRESSES = 4


class Hop:
    """One request of a check."""

    def __init__(self, check: Check, source: ProbeSource, deadline: Deadline) -> None:
        self.deadline = deadline
        self.url: Url | None = None
        self.proxy: Proxy | None = None
        self.address = ""
        self._check = check
        self._source = source
        self._at = SystemClock.wall()
        self._start = deadline.mono()
        self._looked_up: tuple[Span, ...] = ()

    @property
    def dial_left(self) -> float:
        """Seconds that are left for a name and a connection."""
        now = self.deadline.mono()
        return max(0.0, min(self._start + DIAL, self.deadline.start + TOTAL) - now)

    @property
    def _server(self) -> str:
        """Who is looked up and connected to."""
        url = self.proxy.url if self.proxy else self.url
        return url.host if url else ""

    async def resolve(self, resolver: Resolver, host: str) -> list[str]:
        """At most `_ADDRESSES` addresses. Raises `Failed`."""
        if is_literal(host):
            return [host]
        with Deadline(self.dial_left) as dial:
            found = await resolver.resolve(host, 0, dial)
            self._looked_up = (Span(Phase.DNS, 0.0, dial.mono() - self._start),)
        return found[:_ADDRESSES]

    def onward(self, response: Response) -> str:
        """Where the response sends us, empty where it does not."""
        location = response.header("location") if response.status in STATUSES else ""
        if not location or self.url is None:
            return ""
        try:
            onward = follow(self.url, location)
        except ValueError:
            return location
        return f"{onward.scheme}://{onward.authority}{onward.target}"

    def observation(self, response: Response, onward: str, tolerated: frozenset[int], left: int) -> Observation:
        """This hop, judged: a redirect that is followed is no failure."""
        fault, detail = response.fault, response.detail
        if fault is None and onward and not left:
            fault, detail = Fault.WRONG_ANSWER, f"stopped after {MAX_REDIRECTS} redirects"
        elif fault is None and not onward and response.status != HTTPStatus.OK and response.status not in tolerated:
            fault, detail = Fault.WRONG_ANSWER, status_line(response.status)
        offset = self._start - self.deadline.start
        spans = tuple(Span(span.phase, span.start - offset, span.end - offset) for span in response.phases)
        return Observation(
            check=msgspec.structs.replace(self._check, address=self._server),
            source=self._source.name,
            network=self._source.network,
            at=self._at,
            address=self.address,
            family=family_of(self.address),
            fault=fault,
            phases=self._looked_up + spans,
            code=response.status or None,
            sent=int(self.url is not None),
            received=int(response.status > 0),
            detail=detail,
        )


def status_line(status: int) -> str:
    """ "404 Not Found"."""
    phrase = next((known.phrase for known in HTTPStatus if known.value == status), "")
    return f"{status} {phrase}".strip()
