"""HTTP and HTTPS: a URL asked of one address, every phase stamped, the status judged."""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Annotated

import msgspec

from kubesonar import __version__
from kubesonar.model import Check, Fault, Observation
from kubesonar.net.clock import Clock, SystemClock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http import HttpConnection
from kubesonar.net.http_answer import Limits
from kubesonar.net.http_exchange import Request, Response
from kubesonar.net.resolve import Resolver
from kubesonar.net.trust import Trust
from kubesonar.net.url import Url, parse_url
from kubesonar.probes.attempt import Attempt, Outcome
from kubesonar.probes.source import Source

_SYSTEM = SystemClock()
_PLANS = 1024
_OK = "200"


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


class Plan(msgspec.Struct, frozen=True):
    """What a check asks and expects, read once."""

    url: Url
    request: Request
    lowest: int
    highest: int


@lru_cache(maxsize=_PLANS)
def plan(request: str, expect: str) -> Plan:
    """Reads `Check.request`, a URL, and `Check.expect`, a status or a range as "200-299" (empty: 200). Raises
    ValueError."""
    url = parse_url(request)
    lowest, highest = parse_expect(expect)
    headers = (("User-Agent", f"kubesonar/{__version__}"), ("Accept", "*/*"))
    return Plan(url, Request.make("GET", url, headers), lowest, highest)


def parse_expect(text: str) -> tuple[int, int]:
    """The lowest and the highest status of "200" or "200-299"; empty means 200. Raises ValueError."""
    first, _, last = (text or _OK).partition("-")
    last = last or first
    if not all(len(word) == 3 and word.isascii() and word.isdigit() for word in (first, last)) or first > last:
        raise ValueError(f'an HTTP check expects a status as "200" or a range as "200-299", not {text!r}')
    return int(first), int(last)


class HttpProbe:
    """Asks `Check.request` (a URL) of `Check.address`, which need not be the URL's host (but is where it is empty):
    that host is the Host header and the name in the certificate. `Check.port` is the URL's unless given. `close` it on
    the loop that it ran on."""

    def __init__(
        self,
        source: Source,
        options: HttpOptions,
        *,
        resolver: Resolver | None = None,
        trust: Trust | None = None,
        clock: Clock = _SYSTEM,
    ) -> None:
        self._source = source
        self._options = options
        self._limits = Limits(options.header_bytes, options.headers, options.body)
        self._resolver = resolver or Resolver()
        self._trust = trust or Trust()
        self._clock = clock
        self._idle: dict[tuple[str, int, str, int], HttpConnection] = {}

    async def __call__(self, check: Check) -> Observation:
        """See `Probe`. A check that cannot be asked at all is `Fault.OTHER`, with the reason."""
        attempt = Attempt(check, self._source, self._clock)
        try:
            asked = plan(check.request, check.expect)
            context = self._trust.context(check.trust or self._options.trust) if asked.url.secure else None
            attempt.address = check.address or asked.url.host
            with Deadline(check.timeout, self._clock) as deadline:
                await attempt.resolve(self._resolver, deadline)
                response = await self._ask(attempt.address, check.port or asked.url.port, asked, context, deadline)
        except ValueError as error:
            return attempt.observation(Outcome(Fault.OTHER, str(error), sent=0))
        except Failed as failed:
            return attempt.failed(failed)
        return attempt.observation(_judged(asked, response))

    def close(self) -> None:
        """Closes the connections that are kept."""
        while self._idle:
            self._idle.popitem()[1].close()

    async def _ask(
        self, address: str, port: int, asked: Plan, context: ssl.SSLContext | None, deadline: Deadline
    ) -> Response:
        keep = self._options.keep_alive
        key = (address, port, asked.url.host, id(context))
        connection = self._idle.pop(key, None) or HttpConnection(
            address, port, context=context, server_name=asked.url.host, keep=keep
        )
        response = await connection.request(asked.request, deadline, self._limits)
        if keep:
            self._keep(key, connection)
        return response

    def _keep(self, key: tuple[str, int, str, int], connection: HttpConnection) -> None:
        if key in self._idle:  # two checks asked the same server at once
            connection.close()
            return
        if len(self._idle) >= self._options.connections:
            self._idle.pop(next(iter(self._idle))).close()
        self._idle[key] = connection


def _judged(asked: Plan, response: Response) -> Outcome:
    fault, detail = response.fault, response.detail
    if fault is None and not asked.lowest <= response.status <= asked.highest:
        fault = Fault.WRONG_ANSWER
        wanted = str(asked.lowest) if asked.lowest == asked.highest else f"{asked.lowest}-{asked.highest}"
        detail = f"status {response.status} instead of {wanted}"
    return Outcome(
        fault=fault,
        detail=detail,
        phases=response.phases,
        kernel=response.kernel,
        source_port=response.source_port,
        code=response.status or None,
        received=int(response.status > 0),
    )
