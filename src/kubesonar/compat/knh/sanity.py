"""The sanity check: whether this pod itself is cut off, asked before any peer is reported dead."""

from __future__ import annotations

from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.ca_contexts import CaContexts
from kubesonar.net.http.client import HttpClient
from kubesonar.net.http.exchange import CLOSE
from kubesonar.net.http.proxy.environment import NO_PROXIES, Proxies
from kubesonar.net.http.proxy.route import origin_of, request_of
from kubesonar.net.http.response_reader import HEAD_ONLY
from kubesonar.net.http.url import Url

SANITY_TIMEOUT = 5.0
"""Seconds for one answer. Longer: reports of deaths wait longer; shorter: a slow URL keeps deaths from being
reported."""


class SanityCheck:
    """Requests `url`, through its proxy if `proxies` has one. Any HTTP response, also a redirect or an error, means
    that it was reached. `close` it."""

    def __init__(self, url: Url, proxies: Proxies = NO_PROXIES) -> None:
        self._url = url
        self._proxy = proxies.of(url)
        self._client = HttpClient()
        self._contexts = CaContexts()

    async def failure(self) -> str:
        """Return why the URL cannot be reached, empty where it can."""
        request = request_of("GET", self._url, (("user-agent", "kubesonar"), CLOSE), self._proxy)
        with Deadline(SANITY_TIMEOUT) as deadline:
            try:
                context = self._contexts.context("") if self._url.secure else None
                origin = origin_of(self._url, context, self._proxy)
                response = await self._client.request(origin, request, deadline, HEAD_ONLY)
            except Failed as failed:
                return failed.detail
        return "" if response.status else response.detail

    def close(self) -> None:
        """Cancel a look-up that still runs."""
        self._client.close()
