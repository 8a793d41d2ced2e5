"""One GET as kubenurse's checks make it: redirects followed, each request an observation."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import aclosing, suppress
from http import HTTPStatus

import msgspec

from kubesonar.compat.kubenurse.checks.attempt import CheckAttempt, status_line
from kubesonar.model import Check, Fault, Kind, Observation, Path, clip
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.client import HttpClient
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import CLOSE, USER_AGENT, Response
from kubesonar.net.http.pool import ConnectionPool
from kubesonar.net.http.proxy.environment import Proxies
from kubesonar.net.http.proxy.route import origin_of, request_of
from kubesonar.net.http.redirect import MAX_REDIRECTS
from kubesonar.net.http.url import parse_url
from kubesonar.net.tcp.dialer import DialOptions
from kubesonar.probes.source import ProbeSource

_TOTAL = 6.0
"""Seconds for a whole check, redirects included. Lower: slow servers fail; higher: a silent one delays its round."""

_DIAL = 5.0
"""Seconds for a name and a connection, less than `_TOTAL`, so that a dead address is told from a silent server."""

_KEPT = 100
"""Servers to which a connection is kept. Lower: more handshakes in large clusters; higher: more descriptors."""

_SILENCE, _BODY = 0.5, 65_536
"""Seconds and bytes that the rest of a body is worth for the sake of its connection."""


class CheckTarget(msgspec.Struct, frozen=True):
    """A check of one URL. `type` is the label of its metrics; `headers` go with the first request only."""

    type: str
    path: Path
    url: str
    headers: tuple[tuple[str, str], ...] = ()


class CheckResponse(msgspec.Struct, frozen=True):
    """The outcome of a check: the final `status` (0: none), its `text` in /alive and the `seconds` it took. `local`:
    there is no answer because of our own trouble."""

    status: int
    text: str
    seconds: float
    local: bool = False


class CheckClient:
    """Makes checks, and gives `observe` the observation of every request. With `keep` connections stay open between
    checks. `close` it."""

    def __init__(
        self,
        source: ProbeSource,
        observe: Callable[[Observation], None],
        proxies: Proxies,
        *,
        keep: bool,
        period: float,
    ) -> None:
        self._source = source
        self._proxies = proxies
        self._observe = observe
        self._keep = keep
        self._period = period
        self._client = HttpClient(pool=ConnectionPool(_KEPT) if keep else None, dial=DialOptions(within=_DIAL))

    async def get(
        self, target: CheckTarget, context: ssl.SSLContext, tolerated: frozenset[int] = frozenset()
    ) -> CheckResponse:
        """Check the target; only a final 200 is a success. A status in `tolerated` is no failure either: the caller
        asks again."""
        with Deadline(_TOTAL) as deadline:
            place, headers = target.url, target.headers
            for left in range(MAX_REDIRECTS, -1, -1):
                attempt = CheckAttempt(self._check(target, place), self._source, deadline)
                response = await self._ask(attempt, place, headers, context, deadline)
                onward = attempt.onward(response)
                seen = attempt.observation(response, onward, tolerated, left)
                self._observe(seen)
                if not onward or not left:
                    break
                place, headers = onward, ()
            return _answer(place, seen, deadline.elapsed)

    def close(self) -> None:
        """Close idle connections and cancel look-ups."""
        self._client.close()

    def _check(self, target: CheckTarget, place: str) -> Check:
        return Check(target.type, Kind.HTTP, target.path, target.type, "", 0, self._period, _TOTAL, place)

    async def _ask(
        self,
        attempt: CheckAttempt,
        place: str,
        headers: tuple[tuple[str, str], ...],
        context: ssl.SSLContext,
        deadline: Deadline,
    ) -> Response:
        """Send one request. A failure is in the response."""
        try:
            attempt.url = url = parse_url(place)
            proxy = self._proxies.of(url)
            origin = origin_of(url, context, proxy)
            attempt.server = origin.host
            end = () if self._keep else (CLOSE,)
            request = request_of("GET", url, (USER_AGENT, ("Accept", "*/*"), *headers, *end), proxy)
        except ValueError as error:
            return Response(fault=Fault.OTHER, detail=str(error))
        try:
            connection, response = await self._client.open(origin, request, deadline)
        except Failed as failed:
            return Response(fault=failed.fault, detail=failed.detail)
        if self._keep and response.fault is None:
            await _drain(connection)
        self._client.release(origin, connection)
        return response


async def _drain(connection: HttpConnection) -> None:
    """Read the body, where it is short, so that the connection can be used again."""
    size = 0
    with suppress(Failed):
        async with aclosing(connection.chunks(_SILENCE)) as chunks:
            async for data in chunks:
                size += len(data)
                if size > _BODY:
                    break


def _answer(place: str, seen: Observation, seconds: float) -> CheckResponse:
    if seen.fault is None:
        text = "ok" if seen.code == HTTPStatus.OK else status_line(seen.code or 0)
    else:
        text = seen.detail if seen.code else f'Get "{clip(place)}": {seen.detail}'
    return CheckResponse(seen.code or 0, text, seconds, seen.fault is Fault.LOCAL)
