"""Calls to other pods over plain HTTP."""

from __future__ import annotations

import asyncio
import string

from kubesonar.compat.knh.election.events import Call
from kubesonar.model import Fault
from kubesonar.net.deadline import Deadline
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import CLOSE, HttpRequest, Response
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.response_reader import HEAD_ONLY
from kubesonar.net.http.url import Url
from kubesonar.net.tcp.stream import Stream

PING_TIMEOUT = 2.0
"""Seconds for one call. Shorter: busy pods are taken for dead; longer: deaths are noticed later."""

AT_ONCE = 64
"""Most calls under way at once; further calls wait."""

_TRIES = 3
"""Tries of a call that fails because this process stood still."""
_PLAIN = frozenset((string.ascii_letters + string.digits + "-._~@:").encode())
"""Bytes that need no escape in a query's value (RFC 3986, section 3.4)."""


class PeerClient:
    """Calls peers from the pod's own address, which they compare with the one that the API lists for it."""

    def __init__(self, own_id: str, own_ip: str, port: int) -> None:
        self._id = own_id
        self._ip = own_ip
        self._port = port
        self._free = asyncio.Semaphore(AT_ONCE)

    async def answers(self, call: Call) -> bool:
        """Whether the peer answered, with any status. A call that failed because this process stood still is repeated:
        it says nothing about the peer."""
        async with self._free:
            for _ in range(_TRIES):
                response = await self._ask(call)
                if response.fault is not Fault.LOCAL:
                    break
        return response.status > 0

    async def _ask(self, call: Call) -> Response:
        origin = Origin(call.peer.ip, self._port, wire=lambda patience: Stream(self._ip, patience))
        with Deadline(PING_TIMEOUT) as deadline:
            return await HttpConnection(origin).request(self._request(call), deadline, HEAD_ONLY)

    def _request(self, call: Call) -> HttpRequest:
        target = "/ping"
        if call.announces:
            dead = f"&dead={','.join(map(escaped, call.dead))}" if call.dead else ""
            target = f"/coordinator?id={escaped(self._id)}{dead}"
        url = Url("http", call.peer.ip, self._port, call.peer.address, target)
        return HttpRequest.make("GET", url, (("user-agent", "kubesonar"), CLOSE))


def escaped(text: str) -> str:
    """Return `text` percent-encoded for a query's value."""
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))
