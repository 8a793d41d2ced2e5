"""Requests to the API server by what they are for: one object, a list, a watch, a change."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.kube.auth.credentials import Credentials
from kubesonar.kube.errors import ApiError
from kubesonar.kube.events import Event, read_event
from kubesonar.kube.list_stream import Listing, ListReader, ObjectDecoder
from kubesonar.kube.object_meta import Object
from kubesonar.kube.query import Query, request_target, resource_target
from kubesonar.kube.resource import Resource
from kubesonar.kube.transport import ApiRequest, ApiTransport
from kubesonar.net.clock import Clock, SystemClock

__all__ = ["ApiError", "Client", "Event", "Listing"]

PAGE = 500
"""Objects asked for in one page, as client-go does. The API server's cache answers with all at once all the same."""

_PAGES = 1000
"""Most pages of one list: ten times as many as `ITEM_LIMIT` fills, since some may be half empty. A longer list is
refused, so that one that never ends does not hold the agent."""

BODY_LIMIT = 4 << 20
"""Largest object and longest line of a watch that are read (bytes). etcd holds objects of up to 1.5 MiB."""

ITEM_LIMIT = 50_000
"""Most objects kept of a list; the others count as skipped."""

API_TIMEOUT = 10.0
"""Seconds for a whole answer, and for the beginning of a list or a watch. Less fails slow servers."""

LIST_TIMEOUT = 60.0
"""Seconds for one page of a list, which may be 100 MB long."""

_RESTARTS = 3
"""Times that a list is begun again because it expired between two pages."""

T = TypeVar("T", bound=Object)
Any = TypeVar("Any")


class Client:
    """Asks one API server; every failure is an ApiError.

    `skipped` counts objects that did not fit, and those above `ITEM_LIMIT`.
    """

    def __init__(self, credentials: Credentials, *, clock: Clock | None = None) -> None:
        self.credentials = credentials
        self.skipped = 0
        self._clock = clock or SystemClock()
        self._transport = ApiTransport(credentials, self._clock)

    async def get(self, path: str, type: type[Any], *, timeout: float = API_TIMEOUT) -> Any:
        """Return one object, decoded as `type`."""
        return await self._asked(ApiRequest("GET", request_target(path)), type, timeout)

    async def read(self, path: str, query: Query, limit: int) -> bytes:
        """Return an answer that is no object, as a pod's log, of at most `limit` bytes."""
        return await self._transport.ask(ApiRequest("GET", request_target(path, query)), API_TIMEOUT, limit)

    async def send(
        self,
        method: str,
        path: str,
        body: bytes,
        type: type[Any],
        content_type: str = "application/json",
    ) -> Any:
        """Send a POST, PUT, PATCH or DELETE; return the answer, decoded as `type`."""
        return await self._asked(ApiRequest(method, request_target(path), body, content_type), type, API_TIMEOUT)

    async def list(self, resource: Resource[T], version: str = "0") -> Listing[T]:
        """Return all objects.

        They come from the API server's cache, which may lag; with `version` "" they are exact, which costs the server
        more. A list that expires between two pages is begun again.
        """
        for _ in range(_RESTARTS):
            try:
                return await self._listed(resource, version)
            except ApiError as error:
                if error.status != 410:
                    raise
        return await self._listed(resource, version)

    async def watch(
        self, resource: Resource[T], version: str, *, seconds: float, silence: float
    ) -> AsyncGenerator[Event[T], None]:
        """Yield the changes after `version`, until the server ends the watch, after about `seconds`.

        The first event, a bookmark of `version`, says that the watch has begun. A watch without a byte for `silence`
        seconds fails. Close the generator (`contextlib.aclosing`) to leave the watch early.
        """
        query = (
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", str(max(1, round(seconds)))),
        )
        decoder = ObjectDecoder(resource.type)
        async with self._transport.stream(
            ApiRequest("GET", resource_target(resource, query)), API_TIMEOUT
        ) as connection:
            yield Event("BOOKMARK", None, version)
            async with aclosing(connection.lines(silence, BODY_LIMIT)) as lines:
                async for line in lines:
                    event = read_event(line, decoder)
                    self.skipped += event is None or event.unfit
                    if event is not None:
                        yield event
                        await asyncio.sleep(0)  # other tasks run, however fast events come in

    def close(self) -> None:
        """Close idle connections."""
        self._transport.close()

    async def _asked(self, call: ApiRequest, kind: builtins.type[Any], timeout: float) -> Any:
        body = await self._transport.ask(call, timeout, BODY_LIMIT)
        try:
            return decode_json(body, kind)
        except Undecodable as error:
            raise ApiError(0, "wrong_answer", f"an answer that does not fit: {error}") from None

    async def _listed(self, resource: Resource[T], version: str) -> Listing[T]:
        reader = ListReader(resource.type, ITEM_LIMIT)
        query = [("resourceVersion", version)] if version else []
        for _ in range(_PAGES):
            call = ApiRequest("GET", resource_target(resource, (("limit", str(PAGE)), *query)))
            async with self._transport.stream(call, API_TIMEOUT) as connection:
                meta = await reader.read_page(connection, timeout=LIST_TIMEOUT, clock=self._clock)
            if not meta.continue_:
                listing = reader.listing(meta.resource_version)
                self.skipped += listing.skipped
                return listing
            query = [("continue", meta.continue_)]
        raise ApiError(0, "wrong_answer", f"a list of more than {_PAGES} pages")
