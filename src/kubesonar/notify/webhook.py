"""One try to post a notice to one receiver."""

from __future__ import annotations

import ssl

import msgspec

from kubesonar import __version__
from kubesonar.core.address import IpNetwork
from kubesonar.core.delivery.http_outcome import Outcome
from kubesonar.model import Fault, Phase
from kubesonar.net.clock import Clock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.ca_contexts import Trust
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import HttpRequest, Response
from kubesonar.net.http.retry_after import retry_after
from kubesonar.net.http.url import Url
from kubesonar.net.tcp.stream import Stream
from kubesonar.net.watched_file import WatchedFile
from kubesonar.notify.allow_list import address_allowed
from kubesonar.notify.signing import Signer, unsigned

_ADDRESSES = 4
"""Most addresses of a receiver that one try asks."""


class Receiver(msgspec.Struct, frozen=True):
    """A receiver whose options were checked. `networks` empty: any address will do."""

    name: str
    url: Url
    connect: float
    timeout: float
    networks: tuple[IpNetwork, ...] = ()
    ca_file: str = ""
    signer: Signer | None = None
    token: WatchedFile[tuple[str, ...]] | None = None


class Webhook:
    """Posts to `receiver`; each try resolves its name anew and has a connection of its own. Redirects are not followed
    and of the answer only the headers are read. `close` it."""

    def __init__(self, receiver: Receiver, clock: Clock) -> None:
        self._receiver = receiver
        self._clock = clock
        self._resolver = Resolver()
        self._trust = Trust()

    async def post(self, id: str, body: bytes) -> Outcome:
        """One try."""
        receiver, response = self._receiver, Response()
        with Deadline(receiver.timeout) as deadline:
            try:
                context = self._trust.context(receiver.ca_file) if receiver.url.secure else None
                for address in await self._addresses(deadline):
                    response = await self._ask(address, context, self._request(id, body), deadline)
                    if response.status or deadline.over or _connected(response):
                        break
            except Failed as failed:
                return Outcome(detail=failed.detail)
        asked = retry_after(response.header("retry-after"), self._clock.wall())
        return Outcome(response.status, response.detail, asked)

    def close(self) -> None:
        """Gives up a look-up that still runs."""
        self._resolver.close()

    async def _addresses(self, deadline: Deadline) -> list[str]:
        receiver = self._receiver
        found = await self._resolver.resolve(receiver.url.host, 0, deadline)
        if not receiver.networks:
            return found[:_ADDRESSES]
        allowed = [address for address in found if address_allowed(address, receiver.networks)]
        if not allowed:
            raise Failed(Fault.LOCAL, f"{receiver.url.host} is at {found[0]}, which notify.networks does not allow")
        return allowed[:_ADDRESSES]

    def _request(self, id: str, body: bytes) -> HttpRequest:
        receiver, now = self._receiver, self._clock.wall()
        headers = receiver.signer.headers(id, now, body) if receiver.signer else unsigned(id, now)
        if receiver.token:
            headers = (*headers, ("authorization", f"Bearer {receiver.token.get()[0]}"))
        fixed = (
            ("user-agent", f"kubesonar/{__version__}"),
            ("content-type", "application/json"),
            ("connection", "close"),
        )
        return HttpRequest.make("POST", receiver.url, (*fixed, *headers), body)

    async def _ask(
        self, address: str, context: ssl.SSLContext | None, request: HttpRequest, deadline: Deadline
    ) -> Response:
        url = self._receiver.url
        connection = HttpConnection(
            address,
            url.port,
            context=context,
            server_name=url.host,
            wire=lambda: _Impatient(self._receiver.connect),
        )
        try:
            return await connection.open(request, deadline)
        finally:
            connection.close()


class _Impatient(Stream):
    """A stream that has its own, shorter time to connect."""

    def __init__(self, patience: float) -> None:
        super().__init__()
        self._patience = patience

    async def connect(self, address: str, port: int, deadline: Deadline) -> None:
        left = deadline.start + deadline.timeout - deadline.mono()
        with Deadline(max(0.0, min(self._patience, left))) as own:
            await super().connect(address, port, own)


def _connected(response: Response) -> bool:
    return any(span.phase is Phase.CONNECT for span in response.phases)
