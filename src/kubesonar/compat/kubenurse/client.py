"""One GET as a check makes it: every address of the name in turn, redirects followed, each hop an observation."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from http import HTTPStatus

import msgspec

from kubesonar import __version__
from kubesonar.compat.kubenurse.attempt import TOTAL, Hop, status_line
from kubesonar.compat.kubenurse.checks.dialling import straight, tunnelling
from kubesonar.compat.kubenurse.checks.proxies import Proxies, Proxy
from kubesonar.compat.kubenurse.idle_pool import Kept
from kubesonar.compat.kubenurse.redirect import MAX_REDIRECTS
from kubesonar.model import Check, Fault, Kind, Observation, Path, clip
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import HttpRequest, Response
from kubesonar.net.http.url import Url, parse_url
from kubesonar.probes.source import ProbeSource

_AGENT = ("User-Agent", f"kubesonar/{__version__}")


class CheckTarget(msgspec.Struct, frozen=True):
    """What to ask. `type` is the label of its metrics; `headers` go with the first hop only."""

    type: str
    path: Path
    url: str
    headers: tuple[tuple[str, str], ...] = ()


class CheckResponse(msgspec.Struct, frozen=True):
    """What it came to: the final status (0: none), `text` as /alive shows it, the seconds it took, and whether it is
    our own trouble that there is no answer."""

    status: int
    text: str
    seconds: float
    local: bool = False


class Getter:
    """Asks; hands every hop to `observe`. With `keep` connections stay open between checks. `close` it."""

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
        self._kept = Kept() if keep else None
        self._period = period
        self._resolver = Resolver()

    async def get(
        self, target: CheckTarget, context: ssl.SSLContext, tolerated: frozenset[int] = frozenset()
    ) -> CheckResponse:
        """Only a final 200 is well. A status in `tolerated` is no failure, though no success: the caller asks again."""
        with Deadline(TOTAL) as deadline:
            place, headers = target.url, target.headers
            for left in range(MAX_REDIRECTS, -1, -1):
                hop = Hop(self._check(target, place), self._source, deadline)
                response = await self._ask(hop, place, headers, context)
                onward = hop.onward(response)
                seen = hop.observation(response, onward, tolerated, left)
                self._observe(seen)
                if not onward or not left:
                    break
                place, headers = onward, ()
            return _answer(place, seen, deadline.mono() - deadline.start)

    def close(self) -> None:
        """Closes what is kept and gives up look-ups."""
        self._resolver.close()
        if self._kept is not None:
            self._kept.close()

    def _check(self, target: CheckTarget, place: str) -> Check:
        return Check(target.type, Kind.HTTP, target.path, target.type, "", 0, self._period, TOTAL, place)

    async def _ask(
        self, hop: Hop, place: str, headers: tuple[tuple[str, str], ...], context: ssl.SSLContext
    ) -> Response:
        """A failure is in the response."""
        try:
            hop.url = url = parse_url(place)
            hop.proxy = proxy = self._proxies.of(url)
            end = () if self._kept is not None else (("Connection", "close"),)
            request = _request(url, (_AGENT, ("Accept", "*/*"), *headers, *end), proxy)
        except ValueError as error:
            return Response(fault=Fault.OTHER, detail=str(error))
        key = (url.scheme, url.host, url.port, context)
        kept = self._kept.take(key) if self._kept is not None else None
        if kept is not None:
            response, connection = await kept.open(request, hop.deadline), kept
        else:
            try:
                response, connection = await self._dial(hop, url, request, context if url.secure else None)
            except Failed as failed:
                return Response(fault=failed.fault, detail=failed.detail)
        if response.fault is None and self._kept is not None:
            await self._kept.leave(key, connection)
        elif response.fault is None:
            connection.close()  # nobody wants the body
        return response

    async def _dial(
        self, hop: Hop, url: Url, request: HttpRequest, context: ssl.SSLContext | None
    ) -> tuple[Response, HttpConnection]:
        """Asks the first address that takes the connection. Raises `Failed` without an address."""
        proxy = hop.proxy
        server = proxy.url if proxy else url
        addresses = await hop.resolve(self._resolver, server.host)
        for position, address in enumerate(addresses):
            hop.address = address
            share = hop.dial_left / (len(addresses) - position)
            wire = tunnelling(share, url, proxy.headers) if proxy and context else straight(share)
            connection = HttpConnection(
                address, server.port, context=context, server_name=url.host, keep=self._kept is not None, wire=wire
            )
            response = await connection.open(request, hop.deadline)
            if response.fault is None or response.phases or hop.dial_left <= 0:
                break
        return response, connection


def _request(url: Url, headers: tuple[tuple[str, str], ...], proxy: Proxy | None) -> HttpRequest:
    """A proxy is asked in the absolute form (RFC 9112, section 3.2.2), unless it is to make a tunnel. Raises
    ValueError."""
    if proxy is None or url.secure:
        return HttpRequest.make("GET", url, headers)
    whole = msgspec.structs.replace(url, target=f"{url.scheme}://{url.authority}{url.target}")
    return HttpRequest.make("GET", whole, (*headers, *proxy.headers))


def _answer(place: str, seen: Observation, seconds: float) -> CheckResponse:
    if seen.fault is None:
        text = "ok" if seen.code == HTTPStatus.OK else status_line(seen.code or 0)
    else:
        text = seen.detail if seen.code else f'Get "{clip(place)}": {seen.detail}'
    return CheckResponse(seen.code or 0, text, seconds, seen.fault is Fault.LOCAL)
