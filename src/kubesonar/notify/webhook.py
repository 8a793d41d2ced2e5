"""One try to post a notice to one receiver."""

from __future__ import annotations

import msgspec

from kubesonar.core.address import IpNetwork
from kubesonar.core.delivery.http_outcome import Outcome
from kubesonar.model import Condition, Fault
from kubesonar.net.clock import Clock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.ca_contexts import CaContexts
from kubesonar.net.http.client import HttpClient
from kubesonar.net.http.exchange import CLOSE, USER_AGENT, HttpRequest
from kubesonar.net.http.proxy.environment import Proxy
from kubesonar.net.http.proxy.route import origin_of, request_of
from kubesonar.net.http.response_reader import HEAD_ONLY
from kubesonar.net.http.retry_after import retry_after
from kubesonar.net.http.url import Url
from kubesonar.net.tcp.dialer import DialOptions
from kubesonar.net.watched_file import WatchedFile
from kubesonar.notify.allow_list import address_allowed
from kubesonar.notify.formats import Format
from kubesonar.notify.signing import Signer, unsigned


class Receiver(msgspec.Struct, frozen=True):
    """A receiver whose options were checked. `connect` and `timeout` are seconds for one address and for the whole try,
    `format` makes the bodies of the notices whose condition is in `only` (empty: all); `networks` empty: any address
    will do. `forgets`: what still holds is to be delivered again now and then. `own`: only this program has its
    format."""

    name: str
    url: Url
    format: Format
    connect: float
    timeout: float
    proxy: Proxy | None = None
    only: tuple[Condition, ...] = ()
    forgets: bool = False
    own: bool = False
    networks: tuple[IpNetwork, ...] = ()
    ca_file: str = ""
    signer: Signer | None = None
    token: WatchedFile[tuple[str, ...]] | None = None


class Webhook:
    """Posts to `receiver`; each try looks its name up anew and has a connection of its own. Redirects are not followed
    and of the response only the headers are read. `close` it."""

    def __init__(self, receiver: Receiver, clock: Clock) -> None:
        self._receiver = receiver
        self._clock = clock
        self._client = HttpClient(choose=self._allowed, dial=DialOptions(patience=receiver.connect))
        self._contexts = CaContexts()

    async def post(self, id: str, body: bytes) -> Outcome:
        """Try once to post `body` as the notice of that id."""
        receiver = self._receiver
        with Deadline(receiver.timeout) as deadline:
            try:
                context = self._contexts.context(receiver.ca_file) if receiver.url.secure else None
                origin = origin_of(receiver.url, context, receiver.proxy)
                request = self._request(id, body)
                response = await self._client.request(origin, request, deadline, HEAD_ONLY)
            except Failed as failed:
                return Outcome(detail=failed.detail)
        asked = retry_after(response.header("retry-after"), self._clock.wall())
        return Outcome(response.status, response.detail, asked)

    def close(self) -> None:
        """Cancel a look-up that still runs."""
        self._client.close()

    def _allowed(self, addresses: list[str]) -> list[str]:
        receiver = self._receiver
        if not receiver.networks:
            return addresses
        allowed = [address for address in addresses if address_allowed(address, receiver.networks)]
        if not allowed:
            where = f"{receiver.url.host} is at {addresses[0]}"
            raise Failed(Fault.LOCAL, f"{where}, which notify.networks does not allow")
        return allowed

    def _request(self, id: str, body: bytes) -> HttpRequest:
        receiver, now = self._receiver, self._clock.wall()
        headers = receiver.signer.headers(id, now, body) if receiver.signer else unsigned(id, now)
        if receiver.token:
            headers = (*headers, ("authorization", f"Bearer {receiver.token.get()[0]}"))
        fixed = (USER_AGENT, ("content-type", "application/json"), CLOSE)
        return request_of("POST", receiver.url, (*fixed, *headers), receiver.proxy, body)
