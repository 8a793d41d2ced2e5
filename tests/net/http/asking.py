"""One request over a connection, and over a wire that plays a script."""

from __future__ import annotations

from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import HttpRequest, Response
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.response_reader import ResponseLimits
from kubesonar.net.http.url import parse_url
from tests.net.rig import run
from tests.net.servers import Twin

GET = HttpRequest.make("GET", parse_url("http://example/"))
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
"""The head of a response whose body comes in chunks."""


async def ask(connection: HttpConnection, request: HttpRequest = GET, limits: ResponseLimits | None = None) -> Response:
    """The response to a request, within five seconds."""
    with Deadline(5) as deadline:
        return await connection.request(request, deadline, limits or ResponseLimits())


def played(
    *entries: bytes | Failed, request: HttpRequest = GET, limits: ResponseLimits | None = None
) -> tuple[Response, Twin]:
    """The response that these reads give, and the wire that gave them."""
    twin = Twin(*entries)
    return run(ask(HttpConnection(Origin("192.0.2.1", 80, wire=lambda patience: twin)), request, limits)), twin
