"""Answers requests as the API server does, or as badly as it is told to."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec

from kubesonar.web import Reply, Request
from tests.kube.evicting import EvictionSwitches, evict, replace, require
from tests.kube.requests import Asked, asked
from tests.kube.selecting import selector
from tests.kube.store import GROUPS, Refused, Store, Tree
from tests.kube.upgrading import StreamSwitches

USER = "system:serviceaccount:default:kubesonar"
OPEN = frozenset({"/version", "/healthz", "/livez", "/readyz"})
"""What an anonymous client may read (the role system:public-info-viewer)."""


class Failure(msgspec.Struct):
    """The next `times` requests that fit are answered with `status`; empty words fit all."""

    status: int
    times: int
    retry_after: int | None = None
    verb: str = ""
    resource: str = ""


class Switches:
    """How the double behaves; tests turn these through `ApiServer`."""

    def __init__(self) -> None:
        self.tokens: set[str] = set()
        self.refused: set[tuple[str, str]] = set()
        self.failures: list[Failure] = []
        self.documents: dict[str, Callable[[bytes], Tree]] = {}
        self.slow = 0.0
        self.frozen = False
        self.bookmarks = 60.0
        self.pages_from_cache = False
        self.gone_at_once = False
        self.watches_end_at_once = False
        self.cut_lists = 0
        self.expired_pages = 0
        self.tears = 0
        self.expiries = 0
        self.raw_events: list[bytes] = []
        self.logs: dict[str, str] = {}
        self.streams = StreamSwitches()
        self.evictions = EvictionSwitches()


class Api:
    """The handler. `log` is every request with its status, oldest first."""

    def __init__(self, store: Store, switches: Switches) -> None:
        self.log: list[tuple[Asked, int]] = []
        self.certified: set[tuple[str, int]] = set()
        self.streams = switches.streams
        self._store = store
        self._switches = switches
        self._watchers: set[asyncio.Event] = set()
        self._continued: dict[str, tuple[list[Tree], int]] = {}
        self._numbers = itertools.count(1)

    def wake(self) -> None:
        """Something changed; called on the loop."""
        for watcher in self._watchers:
            watcher.set()

    def forget_continued(self) -> None:
        """Every token for the rest of a list has expired."""
        self._continued.clear()

    async def __call__(self, given: Request) -> Reply:
        """Answers, once it is no longer held up."""
        request = asked(given)
        number = len(self.log)
        self.log.append((request, 0))
        try:
            await self._admit(request, given.client)
            if request.resource == "pods/log":
                self._store.get("pods", request.name, request.namespace)
                self.log[number] = (request, 200)
                return Reply(self._switches.logs.get(request.name, "").encode(), "text/plain")
            if request.verb == "watch":
                self.log[number] = (request, 200)
                return self._watch(request)
            status, tree = 200, self._answer(request, given.body)
            if request.verb == "create":
                status = 201
        except Refused as refused:
            self.log[number] = (request, refused.code)
            return _reply(refused.code, refused.status(), refused.headers)
        self.log[number] = (request, status)
        if request.verb == "list" and self._switches.cut_lists:
            self._switches.cut_lists -= 1
            return Reply(_cut(tree))
        return _reply(status, tree, {})

    async def upgrade(self, request: Asked, peer: Any) -> None:
        """Returns where a WebSocket may be opened. Raises Refused."""
        number = len(self.log)
        self.log.append((request, 0))
        try:
            await self._admit(request, (str(peer[0]), int(peer[1])))
            if request.resource not in ("pods/exec", "pods/portforward"):
                raise Refused(404, "NotFound", "the server could not find the requested resource")
            self._store.get("pods", request.name, request.namespace)
        except Refused as refused:
            self.log[number] = (request, refused.code)
            raise
        self.log[number] = (request, 101)

    async def _admit(self, request: Asked, client: tuple[str, int] | None) -> None:
        """Returns once the request is no longer held up. Raises Refused for one that is not allowed."""
        await asyncio.sleep(self._switches.slow)
        while self._switches.frozen:
            await self._changed(60.0)
        known = request.token in self._switches.tokens or (not request.token and client in self.certified)
        if request.token and not known:
            raise Refused(401, "Unauthorized", "Unauthorized")
        self._fail(request)
        if not known and request.path not in OPEN:
            raise _forbidden(request, "system:anonymous")
        if not request.resource and request.path not in {*OPEN, *self._switches.documents}:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        if {(request.verb, request.resource), ("*", request.resource)} & self._switches.refused:
            raise _forbidden(request, USER)

    def _fail(self, request: Asked) -> None:
        for failure in self._switches.failures:
            fits = failure.verb in ("", request.verb) and failure.resource in ("", request.resource)
            if failure.times > 0 and fits:
                failure.times -= 1
                wait = {} if failure.retry_after is None else {"retry-after": str(failure.retry_after)}
                raise Refused(failure.status, _REASONS.get(failure.status, ""), "as the test wants it", wait)

    def _answer(self, request: Asked, body: bytes) -> Tree:
        if request.path == "/version":
            return {"major": "1", "minor": "36", "gitVersion": "v1.36.0", "platform": "linux/amd64"}
        if document := self._switches.documents.get(request.path):
            return document(body)
        if not request.resource:
            return {"ok": True}
        if request.resource == "pods/eviction":
            return evict(self._store, self._switches.evictions, request, body)
        if "/" in request.resource:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        if request.verb == "list":
            return self._list(request)
        if request.verb == "get":
            return self._store.get(request.resource, request.name, request.namespace)
        if request.verb == "delete":
            gone = self._store.get(request.resource, request.name, request.namespace)
            if body:
                require(gone, msgspec.json.decode(body).get("preconditions", {}))
            if request.resource == "pods":
                return replace(self._store, self._switches.evictions, gone)
            return self._store.delete(request.resource, request.name, request.namespace)
        return self._change(request, body)

    def _change(self, request: Asked, body: bytes) -> Tree:
        try:
            tree = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise Refused(400, "BadRequest", str(error)) from None
        if request.verb == "patch":
            tree = _merged(self._store.get(request.resource, request.name, request.namespace), tree)
        meta = tree.setdefault("metadata", {})
        if request.namespace:
            meta["namespace"] = request.namespace
        if request.name and meta.setdefault("name", request.name) != request.name:
            raise Refused(400, "BadRequest", "the name of the object does not match the name on the URL")
        return self._store.put(request.resource, tree, verb="create" if request.verb == "create" else "update")

    def _list(self, request: Asked) -> Tree:
        query, cached = request.query, request.query.get("resourceVersion") == "0"
        if token := query.get("continue"):
            expired = self._switches.expired_pages > 0
            self._switches.expired_pages -= expired
            if token not in self._continued or expired:
                raise Refused(410, "Expired", "The provided continue parameter is too old")
            items, version = self._continued.pop(token)
        else:
            items, version = self._store.all(request.resource, _fits(request))
        limit = int(query.get("limit", "0"))
        meta: Tree = {"resourceVersion": str(version)}
        if 0 < limit < len(items) and (not cached or self._switches.pages_from_cache):
            token = base64.b64encode(f"{version}/{next(self._numbers)}".encode()).decode()
            self._continued[token] = items[limit:], version
            meta |= {"continue": token, "remainingItemCount": len(items) - limit}
            items = items[:limit]
        group, api_version, kind = GROUPS[request.resource]
        api = f"{group}/{api_version}" if group else api_version
        bare = [{key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in items]
        return {"kind": f"{kind}List", "apiVersion": api, "metadata": meta, "items": bare}

    def _watch(self, request: Asked) -> Reply:
        stream = _Stream(self._store, self._switches, request)
        if self._switches.gone_at_once:
            stream.check()
        return Reply(self._events(stream))

    async def _events(self, stream: _Stream) -> AsyncGenerator[bytes, None]:
        while not stream.ended:
            if data := stream.news():
                yield data
            if stream.torn:
                raise asyncio.CancelledError
            if not stream.ended:
                await self._changed(stream.patience)

    async def _changed(self, patience: float) -> None:
        watcher = asyncio.Event()
        self._watchers.add(watcher)
        try:
            async with asyncio.timeout(patience):
                await watcher.wait()
        except TimeoutError:
            return
        finally:
            self._watchers.discard(watcher)


class _Stream:
    """One watch: what is to be sent next, and when it is over."""

    def __init__(self, store: Store, switches: Switches, request: Asked) -> None:
        self.ended = switches.watches_end_at_once
        self._store, self._switches, self._request = store, switches, request
        self._loop = asyncio.get_running_loop()
        self._version = int(request.query.get("resourceVersion") or 0)
        self._tears, self._expiries = switches.tears, switches.expiries
        self._bookmark = self._loop.time() + switches.bookmarks
        self._end = self._loop.time() + float(request.query.get("timeoutSeconds", "1800"))

    @property
    def torn(self) -> bool:
        """Whether it is to be cut off."""
        return self._tears != self._switches.tears

    @property
    def patience(self) -> float:
        """Seconds for which there is nothing to do unless something changes."""
        return 60.0 if self._switches.frozen else max(0.0, min(self._bookmark, self._end) - self._loop.time())

    def check(self) -> None:
        """Raises Refused where the version has expired."""
        self._store.since(self._version, self._request.resource, _fits(self._request))

    def news(self) -> bytes:
        """What is to be sent now."""
        if self._switches.frozen or self.torn:
            return b""
        data = b"".join(self._switches.raw_events)
        self._switches.raw_events.clear()
        try:
            if self._expiries != self._switches.expiries:
                raise Refused(410, "Expired", "too old resource version: the test wants it")
            data += b"".join(self._changes())
        except Refused as refused:
            self.ended = True
            return data + _line("ERROR", refused.status())
        self.ended = self.ended or self._loop.time() >= self._end
        return data + self._marked()

    def _changes(self) -> list[bytes]:
        resource, fits = self._request.resource, _fits(self._request)
        if self._version:
            events, self._version = self._store.since(self._version, resource, fits)
            return [_line(*event) for event in events]
        items, self._version = self._store.all(resource, fits)
        return [_line("ADDED", item) for item in items]

    def _marked(self) -> bytes:
        if self._loop.time() < self._bookmark:
            return b""
        self._bookmark = self._loop.time() + self._switches.bookmarks
        if self._request.query.get("allowWatchBookmarks") != "true":
            return b""
        meta = {"resourceVersion": str(self._version), "creationTimestamp": None}
        return _line("BOOKMARK", {"kind": GROUPS[self._request.resource][2], "apiVersion": "v1", "metadata": meta})


_REASONS = {
    401: "Unauthorized",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


def _fits(request: Asked) -> Any:
    return selector(request.query.get("labelSelector", ""), request.query.get("fieldSelector", ""), request.namespace)


def _forbidden(request: Asked, user: str) -> Refused:
    what = f'resource "{request.resource}"' if request.resource else f'path "{request.path}"'
    where = f' in the namespace "{request.namespace}"' if request.namespace else " at the cluster scope"
    return Refused(
        403, "Forbidden", f'{request.resource} is forbidden: User "{user}" cannot {request.verb} {what}{where}'
    )


def _line(type: str, tree: Tree) -> bytes:
    return msgspec.json.encode({"type": type, "object": tree}) + b"\n"


def _merged(old: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict) or not isinstance(old, dict):
        return patch
    merged = {**old, **{key: _merged(old.get(key), value) for key, value in patch.items()}}
    return {key: value for key, value in merged.items() if value is not None}


def _reply(status: int, tree: Tree, more: dict[str, str]) -> Reply:
    headers = tuple((name.encode(), value.encode()) for name, value in more.items())
    return Reply(msgspec.json.encode(tree) + b"\n", status=status, headers=headers)


async def _cut(tree: Tree) -> AsyncGenerator[bytes, None]:
    """Half an answer, then the end of the connection."""
    body = msgspec.json.encode(tree)
    yield body[: len(body) // 2]
    raise asyncio.CancelledError
