"""The handler of a collector's API: its documents, each with a tag by which a client asks only for what changed, and
what is served beside them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import msgspec

from kubesonar.api.collector_operations import operations
from kubesonar.api.collector_view import CollectorView, EvidenceAway
from kubesonar.api.openapi import openapi
from kubesonar.core.encoding import encode_json
from kubesonar.views.metrics.exposition import OPENMETRICS, TEXT, accepts_openmetrics
from kubesonar.web import (
    Authenticator,
    Handler,
    Reply,
    Request,
    Route,
    Router,
    error_reply,
    unauthorized_reply,
)


def collector_handler(
    view: CollectorView, more: Mapping[str, Route], authenticator: Authenticator, version: str
) -> Router:
    """Return the handler of a collector's API, with `more` routes by path, for agents, other replicas and browsers,
    which are led from / to the page where there is one. /healthz and /readyz need no token, because the kubelet has
    none."""
    table = operations(view)
    document = encode_json(openapi("kubesonar collector", version, table))
    plain = _Plain(view, document, "".join(f"{row.path}  {row.summary}\n" for row in table).encode())
    routes = {row.path: Route(_tagged(row.handler), row.summary) for row in table}

    async def root(request: Request) -> Reply:
        if "/now" in more and request.by_browser:
            return Reply(b"", "", 303, ((b"location", b"/now"), (b"vary", b"accept")))
        return await plain.index(request) if await authenticator.permits(request) else unauthorized_reply()

    return Router(
        {
            "/": Route(root, "this list; the page for browsers", open=True),
            "/healthz": Route(plain.healthz, "200 while the event loop turns", open=True),
            "/readyz": Route(plain.readyz, "200 once started, 503 before", open=True),
            "/metrics": Route(plain.metrics, "metrics, as Prometheus text or OpenMetrics"),
            "/api/v1/openapi.json": Route(plain.openapi, "the OpenAPI document"),
            **more,
            **routes,
        },
        authenticator,
    )


def _tagged(handler: Handler) -> Handler:
    """Return a handler that answers 304 where the client has the same reply already (RFC 9110, section 8.8.3)."""

    async def answer(request: Request) -> Reply:
        try:
            reply = await handler(request)
        except EvidenceAway as away:
            return error_reply(503, str(away), (b"retry-after", b"1"))
        if reply.status != 200 or not isinstance(reply.body, bytes):
            return reply
        tag = b'"' + sha256(reply.body).hexdigest()[:32].encode() + b'"'
        same = tag in [word.strip().removeprefix(b"W/") for word in request.first(b"if-none-match").split(b",")]
        headers = (*reply.headers, (b"etag", tag), (b"cache-control", b"no-cache"))
        if same:
            return Reply(b"", "", 304, headers)
        return msgspec.structs.replace(reply, headers=headers)

    return answer


class _Plain:
    """The handlers of what is served beside the documents of the API."""

    def __init__(self, view: CollectorView, document: bytes, index: bytes) -> None:
        self._view = view
        self._document = document
        self._index = index

    async def index(self, request: Request) -> Reply:
        return Reply(self._index, "text/plain; charset=utf-8")

    async def healthz(self, request: Request) -> Reply:
        return Reply(b"ok\n", "text/plain")

    async def readyz(self, request: Request) -> Reply:
        reason = self._view.ready()
        return error_reply(503, reason) if reason else Reply(b"ok\n", "text/plain")

    async def metrics(self, request: Request) -> Reply:
        openmetrics = accepts_openmetrics(request.header(b"accept"))
        body = self._view.metrics(openmetrics=openmetrics)
        return Reply(body, OPENMETRICS if openmetrics else TEXT, headers=((b"vary", b"accept"),))

    async def openapi(self, request: Request) -> Reply:
        request.query({})
        return Reply(self._document)
