"""Am I the sick one? Asked before anybody is called dead."""

from __future__ import annotations

from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.ca_contexts import Trust
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import HttpRequest
from kubesonar.net.http.url import Url

SANITY_TIMEOUT = 5.0
"""Seconds for one answer; the older tool would have waited for ever."""

_ADDRESSES = 4


class Sanity:
    """Asks `url`; whatever it answers by HTTP, also a redirect or an error, it was reached. `close` it."""

    def __init__(self, url: Url, timeout: float = SANITY_TIMEOUT, ca_file: str = "") -> None:
        self._url = url
        self._timeout = timeout
        self._ca_file = ca_file
        self._resolver = Resolver()
        self._trust = Trust()

    async def complaint(self) -> str:
        """Why it cannot be reached, empty where it can."""
        detail = ""
        with Deadline(self._timeout) as deadline:
            try:
                addresses = await self._resolver.resolve(self._url.host, 0, deadline)
                for address in addresses[:_ADDRESSES]:
                    detail = await self._ask(address, deadline)
                    if not detail or deadline.over:
                        break
            except Failed as failed:
                return failed.detail
        return detail

    def close(self) -> None:
        """Gives up a look-up that still runs."""
        self._resolver.close()

    async def _ask(self, address: str, deadline: Deadline) -> str:
        context = self._trust.context(self._ca_file) if self._url.secure else None
        connection = HttpConnection(address, self._url.port, context=context, server_name=self._url.host)
        try:
            response = await connection.open(
                HttpRequest.make("GET", self._url, (("user-agent", "kubesonar"), ("connection", "close"))), deadline
            )
        finally:
            connection.close()
        return "" if response.status else response.detail
