"""One GET as a check makes it: every address of the name in turn, redirects followed, each hop an observation."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import aclosing
from http import HTTPStatus

import msgspec

from kubesonar import __version__
from kubesonar.compat.kubenurse.hop import TOTAL, Hop, status_line
from kubesonar.compat.kubenurse.redirect import LIMIT
from kubesonar.model import Check, Fault, Kind, Observation, Path
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http import HttpConnection
from kubesonar.net.http_exchange import Request, Response
from kubesonar.net.resolve import Resolver
from kubesonar.net.stream import Stream
from kubesonar.net.url import Url, parse_url
from kubesonar.probes.source import Source

_IDLE = 100
_SILENCE, _BODY = 0.5, 65_536
_AGENT = ("User-Agent", f"kubesonar/{__version__}")


class Target(msgspec.Struct, frozen=True):
    """What to ask. `type` is the label of its metrics; `headers` go with the first hop only."""

    type: str
    path: Path
    url: str
    headers: tuple[tuple[str, str], ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """What it came to: the final status (0: none), `text` as /alive shows it, the seconds it took, and whether it is
    our own trouble that there is no answer."""

    status: int
    text: str
    seconds: float
    local: bool = False


class Getter:
    """Asks; hands every hop to `observe`. With `keep` connections stay open between checks. `close` it."""

    def __init__(self, source: Source, observe: Callable[[Observation], None], *, keep: bool, period: float) -> None:
        self._source = source
        self._observe = observe
        self._keep = keep
        self._period = period
        self._resolver = Resolver()
        self._idle: dict[tuple[str, str, int, int], HttpConnection] = {}

    async def get(self, target: Target, context: ssl.SSLContext, tolerated: frozenset[int] = frozenset()) -> Answer:
        """Only a final 200 is well. A status in `tolerated` is no failure, though no success: the caller asks again."""
        with Deadline(TOTAL) as deadline:
            place, headers = target.url, target.headers
            for left in range(LIMIT, -1, -1):
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
        while self._idle:
            self._idle.popitem()[1].close()

    def _check(self, target: Target, place: str) -> Check:
        return Check(target.type, Kind.HTTP, target.path, target.type, "", 0, self._period, TOTAL, place)

    async def _ask(
        self, hop: Hop, place: str, headers: tuple[tuple[str, str], ...], context: ssl.SSLContext
    ) -> Response:
        """A failure is in the response."""
        try:
            hop.url = url = parse_url(place)
            end = () if self._keep else (("Connection", "close"),)
            request = Request.make("GET", url, (_AGENT, ("Accept", "*/*"), *headers, *end))
        except ValueError as error:
            return Response(fault=Fault.OTHER, detail=str(error))
        key = (url.scheme, url.host, url.port, id(context))
        kept = self._idle.pop(key, None)
        if kept is not None:
            response, connection = await kept.open(request, hop.deadline), kept
        else:
            try:
                response, connection = await self._dial(hop, url, request, context if url.secure else None)
            except Failed as failed:
                return Response(fault=failed.fault, detail=failed.detail)
        if response.fault is None:
            await self._leave(key, connection)
        return response

    async def _dial(
        self, hop: Hop, url: Url, request: Request, context: ssl.SSLContext | None
    ) -> tuple[Response, HttpConnection]:
        """Asks the first address that takes the connection. Raises `Failed` without an address."""
        addresses = await hop.resolve(self._resolver, url.host)
        for position, address in enumerate(addresses):
            hop.address = address
            share = hop.dial_left / (len(addresses) - position)
            connection = HttpConnection(
                address, url.port, context=context, server_name=url.host, keep=self._keep, wire=_dialling(share)
            )
            response = await connection.open(request, hop.deadline)
            if response.fault is None or response.phases or hop.dial_left <= 0:
                break
        return response, connection

    async def _leave(self, key: tuple[str, str, int, int], connection: HttpConnection) -> None:
        """Ends the exchange whose headers were read: nobody wants the body, but a kept connection must be rid of it."""
        if not self._keep:
            connection.close()
            return
        try:
            size = 0
            async with aclosing(connection.chunks(_SILENCE)) as chunks:
                async for data in chunks:
                    size += len(data)
                    if size > _BODY:
                        break
        except Failed:
            return
        if connection.idle and len(self._idle) < _IDLE and key not in self._idle:
            self._idle[key] = connection
        else:
            connection.close()


class _Dialling(Stream):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def connect(self, address: str, port: int, deadline: Deadline) -> None:
        """Within its own share of the time."""
        with Deadline(self._seconds) as dial:
            await super().connect(address, port, dial)


def _dialling(seconds: float) -> Callable[[], Stream]:
    return lambda: _Dialling(seconds)


def _answer(place: str, seen: Observation, seconds: float) -> Answer:
    if seen.fault is None:
        text = "ok" if seen.code == HTTPStatus.OK else status_line(seen.code or 0)
    else:
        text = seen.detail if seen.code else f'Get "{place}": {seen.detail}'
    return Answer(seen.code or 0, text, seconds, seen.fault is Fault.LOCAL)
