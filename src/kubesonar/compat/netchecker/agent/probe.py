"""Probes one URL as a user would get it: redirects followed, each phase timed."""

from __future__ import annotations

import logging

from kubesonar.compat.netchecker.spec import ProbeResult
from kubesonar.model import Phase, Span
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.ca_contexts import CaContexts
from kubesonar.net.http.client import HttpClient
from kubesonar.net.http.exchange import CLOSE, USER_AGENT, HttpRequest, Response
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.redirect import MAX_REDIRECTS, REDIRECT_STATUSES, redirect_target
from kubesonar.net.http.response_reader import ResponseLimits
from kubesonar.net.http.url import Url, parse_url

_LOG = logging.getLogger("kubesonar.netchecker")
_BODY = 16 << 20
"""Most bytes of a body that are read. Higher: memory, up to the container's limit; lower: the transfer of a large page
is not timed to its end."""

_LIMITS = ResponseLimits(body=_BODY)


class UrlProber:
    """Gets URLs, each on a connection of its own, within `timeout` seconds."""

    def __init__(self, client: HttpClient, timeout: float) -> None:
        self._client = client
        self._timeout = timeout
        self._contexts = CaContexts()

    async def probe(self, text: str) -> ProbeResult:
        """Return what came of a GET. A URL that is none, or whose server is not reached, has a result of 0.

        What is no URL took no time: its `total` is 0.
        """
        try:
            url = parse_url(text)
        except ValueError as error:
            _LOG.warning("Get %r: %s", text, error)
            return ProbeResult(url=text)
        with Deadline(self._timeout) as deadline:
            try:
                response = await self._get(url, deadline)
            except (Failed, ValueError) as error:
                _LOG.warning("Get %r: %s", text, error)
                return ProbeResult(url=text, total=_ms(deadline.elapsed))
            if response.fault is not None:
                _LOG.warning("Get %r: %s", text, response.detail or response.fault.value)
            return _result(text, response, deadline.elapsed)

    async def _get(self, url: Url, deadline: Deadline) -> Response:
        for _ in range(MAX_REDIRECTS + 1):
            context = self._contexts.context("") if url.secure else None
            request = HttpRequest.make("GET", url, (USER_AGENT, CLOSE))
            response = await self._client.request(Origin.of(url, context), request, deadline, _LIMITS)
            if response.status not in REDIRECT_STATUSES or not (location := response.header("location")):
                return response
            url = redirect_target(url, location)
        raise ValueError(f"stopped after {MAX_REDIRECTS} redirects")


def _result(url: str, response: Response, elapsed: float) -> ProbeResult:
    took = {span.phase: span for span in response.phases}
    if Phase.CONNECT not in took or (url.startswith("https:") and Phase.TLS not in took):
        return ProbeResult(url=url, total=_ms(elapsed))
    connected = took[Phase.CONNECT]
    return ProbeResult(
        url=url,
        connection_result=1,
        http_code=response.status,
        total=_ms(elapsed),
        content_transfer=_length(took.get(Phase.BODY)),
        tcp_connection=_length(connected),
        dns_lookup=_length(took.get(Phase.DNS)),
        connect=_ms(connected.end - took.get(Phase.DNS, connected).start),
        server_processing=_length(took.get(Phase.FIRST_BYTE)),
    )


def _length(span: Span | None) -> int:
    return _ms(span.end - span.start) if span else 0


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
