"""The paths that the older tool served."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from kubesonar.compat.kubenurse.checks.plan import ALWAYS_HAPPY, ORIGIN
from kubesonar.compat.kubenurse.checks.rounds import RoundResult, Rounds
from kubesonar.compat.kubenurse.listener import alive
from kubesonar.compat.kubenurse.listener.forwarded import ForwardedGuard
from kubesonar.compat.kubenurse.listener.incoming import IncomingChecks
from kubesonar.compat.kubenurse.metrics.render import MetricsPage
from kubesonar.compat.kubenurse.settings import KubenurseSettings
from kubesonar.views.metrics.exposition import TEXT
from kubesonar.web import Handler, Reply, Request

_ORIGIN = ORIGIN.lower().encode()
_TEXT = "text/plain; charset=utf-8"
_REFUSAL = b"not for requests that came through a proxy; KUBENURSE_ALLOW_FORWARDED=true changes that\n"
_CACHE = 3.0
"""Seconds for which /alive returns the last round that it ran on access; less: each scrape runs a round of checks."""


class KubenurseEndpoints:
    """The handler. It accepts any method and redirects unknown paths."""

    def __init__(
        self,
        settings: KubenurseSettings,
        hostname: str,
        rounds: Rounds,
        metrics: MetricsPage,
        incoming: IncomingChecks,
        ready: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._hostname = hostname
        self._rounds = rounds
        self._metrics = metrics
        self._incoming = incoming
        self._ready = ready
        self._guard = ForwardedGuard(settings.ingress_url, settings.service_url)
        self._paths: dict[str, Handler] = {
            ALWAYS_HAPPY: self._always_happy,
            "/ready": self._readiness,
            "/alive": self._inner(self._alive),
            "/metrics": self._inner(self._exposed),
        }

    async def __call__(self, request: Request) -> Reply:
        """Return the reply of the path's own handler."""
        return await self._paths.get(request.path, self._elsewhere)(request)

    def _inner(self, handler: Handler) -> Handler:
        """Refuse requests that came from outside of the cluster, unless the settings allow them."""

        async def guarded(request: Request) -> Reply:
            if not self._settings.allow_forwarded and self._guard.forwarded(request):
                return Reply(_REFUSAL, _TEXT, 403)
            return await handler(request)

        return guarded

    async def _always_happy(self, request: Request) -> Reply:
        if origin := request.first(_ORIGIN):  # the first only, as the older tool: one request is one neighbour
            self._incoming.note(origin.decode("latin-1"))
        return Reply(kind="")

    async def _readiness(self, request: Request) -> Reply:
        return Reply(kind="", status=200 if self._ready() else 503)

    async def _exposed(self, request: Request) -> Reply:
        return Reply(self._metrics.render(self._incoming.count()), TEXT)

    async def _elsewhere(self, request: Request) -> Reply:
        """Redirect a path with doubled slashes or dots to the clean one, as Go's router does, so that a configured
        URL that ends in a slash works; redirects every other path to /alive."""
        path = request.path
        clean = "" if path.endswith("/") else posixpath.normpath("/" + path.lstrip("/"))
        location = clean.encode() if clean in self._paths else b"/alive"
        return Reply(kind="", status=301, headers=((b"location", location),))

    async def _alive(self, request: Request) -> Reply:
        on_access = self._settings.alive == "access"
        result = await self._rounds.fresh(_CACHE) if on_access else self._rounds.last
        if result is None:
            return Reply(kind="", status=500)
        return Reply(alive.body(self._hostname, request, result), _TEXT, self._status(result))

    def _status(self, result: RoundResult) -> int:
        return 200 if result.well or self._settings.alive_always_200 else 500
