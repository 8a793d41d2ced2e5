"""Hands the members and the Services of the cluster to agents, and tells those that wait when they change."""

from __future__ import annotations

import asyncio

from kubesonar.core.decoding import Undecodable, convert_plain
from kubesonar.core.encoding import encode_json
from kubesonar.core.probing.cluster_document import ClusterDocument, entity_tag
from kubesonar.reports.auth.reporter import AuthorityAway, ReportAuthenticator, ReporterRefused
from kubesonar.web import BadRequest, Reply, Request, error_reply

LONGEST_WAIT = 50.0
"""Most seconds that an agent waits for a change, within the time that the listener gives a response. More, and a proxy
between them gives up before; fewer, and agents ask more often for nothing."""

_WAIT = {"wait": f"seconds from 0 to {LONGEST_WAIT:.0f}"}


class ClusterHandout:
    """The handler of GET on `CLUSTER_PATH`, for those who may report. `publish` each document that differs."""

    def __init__(self, authenticator: ReportAuthenticator) -> None:
        self._authenticator = authenticator
        self._body = b""
        self._tag = ""
        self._changed = asyncio.Event()

    def publish(self, document: ClusterDocument) -> None:
        """Hand this document out from now on."""
        self._body = encode_json(document)
        self._tag = entity_tag(self._body)
        self._changed.set()
        self._changed = asyncio.Event()

    async def give(self, request: Request) -> Reply:
        """Return the document; 304 where the client has it and it does not change for the `wait` seconds of the query,
        401 and 503 as reports get, and 503 while nothing is known yet."""
        try:
            await self._authenticator.reporter(request)
        except ReporterRefused as refusal:
            return error_reply(401, str(refusal), (b"www-authenticate", b'Bearer realm="kubesonar"'))
        except AuthorityAway as away:
            return error_reply(503, str(away), (b"retry-after", b"5"))
        wait = _seconds(request.query(_WAIT).get("wait", "0"))
        if not self._body:
            return error_reply(503, "the cluster is not known yet", (b"retry-after", b"1"))
        known = request.first(b"if-none-match").decode("latin-1")
        if known == self._tag and wait:
            await _at_most(self._changed, wait)
        headers = ((b"etag", self._tag.encode()), (b"cache-control", b"no-cache"))
        return Reply(b"", "", 304, headers) if known == self._tag else Reply(self._body, headers=headers)


async def _at_most(changed: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        return


def _seconds(text: str) -> float:
    try:
        wait = convert_plain(text, float, strict=False)
    except Undecodable:
        wait = -1.0
    if not 0 <= wait <= LONGEST_WAIT:
        raise BadRequest(f'query field wait is "{text[:40]}", expected {_WAIT["wait"]}')
    return wait
