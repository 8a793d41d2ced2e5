"""The agent's paths."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from kubesonar.api.selection import FIELDS, Selection
from kubesonar.model import Observation, Snapshot
from kubesonar.views.metrics.exposition import OPENMETRICS, TEXT, accepts_openmetrics
from kubesonar.web import Authenticator, Reply, Request, Route, Router
from kubesonar.web.router import error

NDJSON = "application/x-ndjson"


class Shown(Protocol):
    """What an agent shows of itself; each method is called on the loop and returns at once."""

    def snapshot(self) -> Snapshot:
        """All that is known now, with trials."""
        ...

    def latest(self) -> Iterable[Observation]:
        """The latest observation of every edge."""
        ...

    def metrics(self, *, openmetrics: bool) -> bytes:
        """The metrics, in one of the two text formats."""
        ...

    def ready(self) -> str:
        """Why the agent is not ready (it starts, it leaves), empty where it is; never because of what it sees of the
        network: an agent taken out of service for that would make an outage of a symptom."""
        ...

    def remarks(self) -> list[str]:
        """What is amiss, though it is ready: a line each."""
        ...


def agent_app(shown: Shown, authenticator: Authenticator) -> Router:
    """The ASGI application of an agent. /healthz and /readyz are open to everybody, as the kubelet has no token."""
    paths = _Paths(shown)
    routes = {
        "/healthz": Route(paths.healthz, "200 while the agent's event loop turns", open=True),
        "/readyz": Route(paths.readyz, "200 once started, 503 while starting or leaving", open=True),
        "/metrics": Route(paths.metrics, "metrics, as Prometheus text or OpenMetrics"),
        "/api/v1/observations": Route(
            paths.observations, f"latest observation of every edge (JSON, or NDJSON); {', '.join(FIELDS)}"
        ),
        "/api/v1/snapshot": Route(paths.snapshot, "all that this agent knows (JSON)"),
    }
    index = "".join(f"{path}  {route.summary}\n" for path, route in routes.items()).encode()

    async def root(request: Request) -> Reply:
        return Reply(index, "text/plain; charset=utf-8")

    return Router({"/": Route(root, "this list"), **routes}, authenticator)


class _Paths:
    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    async def healthz(self, request: Request) -> Reply:
        return Reply(b"ok\n", "text/plain")

    async def readyz(self, request: Request) -> Reply:
        reason = self._shown.ready()
        if reason:
            return error(503, "; ".join([reason, *self._shown.remarks()]))
        lines = ("ok", *self._shown.remarks())
        return Reply("".join(f"{line}\n" for line in lines).encode(), "text/plain; charset=utf-8")

    async def metrics(self, request: Request) -> Reply:
        openmetrics = accepts_openmetrics(request.header(b"accept"))
        body = self._shown.metrics(openmetrics=openmetrics)
        return Reply(body, OPENMETRICS if openmetrics else TEXT, headers=((b"vary", b"accept"),))

    async def observations(self, request: Request) -> Reply:
        chosen = Selection.of(request.query(FIELDS)).choose(self._shown.latest())
        if NDJSON in request.header(b"accept"):
            return Reply(msgspec.json.Encoder().encode_lines(chosen), NDJSON)
        return Reply(msgspec.json.encode(chosen))

    async def snapshot(self, request: Request) -> Reply:
        request.query({})
        return Reply(msgspec.json.encode(self._shown.snapshot()))
