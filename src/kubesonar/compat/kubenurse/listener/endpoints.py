"""The room's endpoints."""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable

import msgspec

from kubesonar.compat.kubenurse.checks.targets import ALWAYS_HAPPY, ORIGIN
from kubesonar.compat.kubenurse.listener import alive
from kubesonar.compat.kubenurse.listener.forwarded import ForwardedGuard
from kubesonar.compat.kubenurse.listener.incoming import Incoming
from kubesonar.compat.kubenurse.metrics.exposition import KIND
from kubesonar.compat.kubenurse.metrics.render import Metrics
from kubesonar.compat.kubenurse.rounds import RoundResult, Rounds
from kubesonar.compat.kubenurse.settings import KubenurseSettings
from kubesonar.web.asgi import Receive, Scope, Send

_ORIGIN = ORIGIN.lower().encode()
_TEXT = b"text/plain; charset=utf-8"
_REFUSAL = b"not for requests that came through a proxy; KUBENURSE_ALLOW_FORWARDED=true changes that\n"
_CACHE = 3.0
"""Seconds for which /alive shows a round again that it has run on access."""


class Answered(msgspec.Struct, frozen=True):
    """One response."""

    status: int
    body: bytes = b""
    kind: bytes = b""
    location: bytes = b""


class KubenurseEndpoints:
    """The ASGI application. Any method is taken, and every other path leads to one of its own."""

    def __init__(
        self,
        settings: KubenurseSettings,
        hostname: str,
        rounds: Rounds,
        metrics: Metrics,
        incoming: Incoming,
        ready: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._hostname = hostname
        self._rounds = rounds
        self._metrics = metrics
        self._incoming = incoming
        self._ready = ready
        self._guard = ForwardedGuard(settings.ingress_url, settings.service_url)
        self._paths: dict[str, Callable[[Scope], Awaitable[Answered]]] = {
            ALWAYS_HAPPY: self._always_happy,
            "/ready": self._readiness,
            "/alive": self._inner(self._alive),
            "/metrics": self._inner(self._exposed),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI defines it."""
        answer = self._paths.get(scope["path"], self._elsewhere)
        said = await answer(scope)
        headers = [(b"content-length", str(len(said.body)).encode())]
        headers += [(b"content-type", said.kind)] if said.kind else []
        headers += [(b"location", said.location)] if said.location else []
        await send({"type": "http.response.start", "status": said.status, "headers": headers})
        await send({"type": "http.response.body", "body": said.body})

    def _inner(self, answer: Callable[[Scope], Awaitable[Answered]]) -> Callable[[Scope], Awaitable[Answered]]:
        """What nobody outside the cluster is to see."""

        async def guarded(scope: Scope) -> Answered:
            if not self._settings.allow_forwarded and self._guard.forwarded(scope):
                return Answered(403, _REFUSAL, _TEXT)
            return await answer(scope)

        return guarded

    async def _always_happy(self, scope: Scope) -> Answered:
        origin = next((value for name, value in scope["headers"] if name == _ORIGIN), b"")
        if origin:  # the first only, as the older tool: one request is one neighbour
            self._incoming.note(origin.decode("latin-1"))
        return Answered(200)

    async def _readiness(self, scope: Scope) -> Answered:
        return Answered(200 if self._ready() else 503)

    async def _exposed(self, scope: Scope) -> Answered:
        return Answered(200, self._metrics.render(self._incoming.count()), KIND)

    async def _elsewhere(self, scope: Scope) -> Answered:
        """Doubled slashes and dots lead to the clean path, as Go's router has it: so a URL that was configured with a
        slash at its end, before "/alwayshappy", arrives."""
        path: str = scope["path"]
        clean = "" if path.endswith("/") else posixpath.normpath("/" + path.lstrip("/"))
        return Answered(301, location=clean.encode() if clean in self._paths else b"/alive")

    async def _alive(self, scope: Scope) -> Answered:
        on_access = self._settings.alive == "access"
        result = await self._rounds.fresh(_CACHE) if on_access else self._rounds.last
        if result is None:
            return Answered(500)
        return Answered(self._status(result), alive.body(self._hostname, scope, result), _TEXT)

    def _status(self, result: RoundResult) -> int:
        return 200 if result.well or self._settings.alive_always_200 else 500
