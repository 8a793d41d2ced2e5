"""Requests to etcd v3 by the JSON gateway that every member serves beside gRPC (docs/decisions/0011-etcd-client.md)."""

from __future__ import annotations

import ssl
from typing import TypeVar

import msgspec

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.encoding import encode_json
from kubesonar.model import Fault, Phase, clip
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.client import HttpClient
from kubesonar.net.http.exchange import USER_AGENT, HttpRequest
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.pool import ConnectionPool
from kubesonar.net.http.response_reader import ResponseLimits
from kubesonar.net.http.url import Url, parse_url
from kubesonar.net.tcp.dialer import DialOptions
from kubesonar.net.watched_file import WatchedFile, reason_of
from kubesonar.stores.etcd_options import EtcdOptions, etcd_context
from kubesonar.stores.store import StoreRefused, StoreUnavailable

CALL_TIMEOUT = 6.0
"""Seconds for one request at all endpoints together. Lower: an election of etcd, which takes 1 to 3 s, is an outage;
higher: the caller waits longer for nothing."""

_SHARE = 2.5
"""Seconds that one of several endpoints has. Lower: a slow member is passed over; higher: a cut one costs more."""

_BODY = 64 << 20
"""Most bytes of an answer: a page of the largest values in base64 has 35 MiB. Lower, and it cannot be read."""

_ERROR_BODY = 4096
_KEPT = 16
"""Idle connections kept to each endpoint. Lower: TLS handshakes under load; higher: more descriptors at rest."""

_IDLE = 30.0
"""Seconds for which an idle connection is used again. Higher: firewalls forget it; lower: more handshakes."""

_UNAUTHENTICATED = 16
_SAME_EVERYWHERE = frozenset({3, 5, _UNAUTHENTICATED})
"""Codes of gRPC (https://grpc.io/docs/guides/status-codes/) after which another endpoint would say the same: invalid
argument, not found, unauthenticated."""

_NO_TOKEN = "user name is empty"
"""The message of etcd, with the code for invalid arguments, to a request without a token."""

Answer = TypeVar("Answer")


class EtcdError(StoreUnavailable):
    """etcd's refusal with a `code` of gRPC."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(clip(message))
        self.code = code


class _Refusal(msgspec.Struct, frozen=True):
    code: int = 0
    message: str = ""


class _Token(msgspec.Struct, frozen=True):
    token: str = ""


class EtcdClient:
    """Asks whichever endpoint answers, beginning with the one that did last. `close` it."""

    def __init__(self, options: EtcdOptions) -> None:
        self._options = options
        self._urls = [parse_url(endpoint.rstrip("/") + "/v3/") for endpoint in options.endpoints]
        if not self._urls:
            raise ValueError("etcd has no endpoint, expected one URL at least")
        self._context = WatchedFile(lambda: etcd_context(options), *options.files)
        self._http = HttpClient(
            pool=ConnectionPool(len(self._urls), each=_KEPT, idle=_IDLE), dial=DialOptions(patience=_SHARE)
        )
        self._token = ""

    async def call(self, path: str, body: object, kind: type[Answer], *, again: bool = True) -> Answer:
        """Return the answer to a request such as "kv/range". With `again`, which is for what may be done twice, the
        next endpoint is asked also when an answer was lost; without, only when nothing was sent. Raises
        `StoreUnavailable`, with etcd's own code as `EtcdError`, and `StoreRefused`."""
        data = encode_json(body)
        with Deadline(CALL_TIMEOUT) as deadline:
            try:
                return await self._asked(path, data, kind, deadline, again)
            except EtcdError as error:
                if not self._options.user or not (error.code == _UNAUTHENTICATED or _NO_TOKEN in str(error)):
                    raise
            await self._authenticate(deadline)
            return await self._asked(path, data, kind, deadline, again)

    def close(self) -> None:
        """Close idle connections."""
        self._http.close()

    async def _authenticate(self, deadline: Deadline) -> None:
        self._token = ""
        body = encode_json({"name": self._options.user, "password": self._options.password})
        self._token = (await self._asked("auth/authenticate", body, _Token, deadline, True)).token

    async def _asked(self, path: str, data: bytes, kind: type[Answer], deadline: Deadline, again: bool) -> Answer:
        trouble = StoreUnavailable("no endpoint was asked in time")
        for _ in range(len(self._urls)):
            url = self._urls[0]
            try:
                with deadline.sooner(_SHARE if len(self._urls) > 1 else CALL_TIMEOUT) as share:
                    return await self._ask(url, path, data, kind, share)
            except StoreUnavailable as error:
                if isinstance(error, EtcdError) and error.code in _SAME_EVERYWHERE:
                    raise
                if not again and not isinstance(error, _Unsent):
                    raise
                trouble = error
            if self._urls[0] is url:  # another request has not turned to the next one yet
                self._urls.append(self._urls.pop(0))
            if deadline.over:
                break
        raise trouble

    async def _ask(self, url: Url, path: str, data: bytes, kind: type[Answer], deadline: Deadline) -> Answer:
        headers = [USER_AGENT, ("Content-Type", "application/json")]
        if self._token:
            headers.append(("Authorization", self._token))
        target = msgspec.structs.replace(url, target=url.target + path)
        request = HttpRequest.make("POST", target, tuple(headers), data)
        try:
            origin = Origin.of(url, self._tls() if url.secure else None)
            response = await self._http.request(origin, request, deadline, ResponseLimits(body=_BODY))
        except Failed as failed:
            raise _Unsent(f"{url.authority}: {failed.detail}") from None
        if response.fault is not None:
            sent = response.reused or any(span.phase is Phase.WRITE for span in response.phases)
            raise (StoreUnavailable if sent else _Unsent)(f"{url.authority}: {response.detail or response.fault.value}")
        if response.status != 200:
            raise _refused(response.body[:_ERROR_BODY], response.status)
        try:
            return decode_json(response.body, kind)
        except Undecodable as error:
            raise StoreUnavailable(f"{url.authority}: an answer that does not fit: {error}") from None

    def _tls(self) -> ssl.SSLContext:
        try:
            return self._context.get()
        except (OSError, ValueError) as error:
            raise Failed(Fault.LOCAL, f"the files for TLS cannot be used: {reason_of(error)}") from None


class _Unsent(StoreUnavailable):
    """Nothing of the request has been sent."""


def _refused(body: bytes, status: int) -> StoreUnavailable | StoreRefused:
    try:
        refusal = decode_json(body, _Refusal)
    except Undecodable:
        refusal = _Refusal(message=f"status {status} without a reason that can be read")
    if "request is too large" in refusal.message or "too many operations" in refusal.message:
        return StoreRefused(refusal.message)
    return EtcdError(refusal.code, refusal.message)
