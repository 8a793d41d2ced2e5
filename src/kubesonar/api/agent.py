"""The paths of an agent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from kubesonar.api.selection import FIELDS, Selection
from kubesonar.core.encoding import encode_json
from kubesonar.core.wire.identity import IDENTITY_HEADER, WireIdentity
from kubesonar.model import Observation, Snapshot
from kubesonar.views.metrics.exposition import OPENMETRICS, TEXT, accepts_openmetrics
from kubesonar.web import Authenticator, Reply, Request, Route, Router, error_reply

NDJSON = "application/x-ndjson"


class AgentView(Protocol):
    """The parts of an agent that its API reads. Methods are called on the event loop and return at once."""

    def snapshot(self) -> Snapshot:
        """Return all that is known now, with trials."""
        ...

    def latest(self) -> Iterable[Observation]:
        """Return the latest observation of every edge."""
        ...

    def metrics(self, *, openmetrics: bool) -> bytes:
        """Return the metrics as OpenMetrics or as Prometheus text."""
        ...

    def identity(self) -> WireIdentity:
        """Return who this agent is, as far as it knows."""
        ...

    def ready(self) -> str:
        """Return why the agent is not ready (it starts, it leaves), empty where it is. What it sees of the network is
        never a reason: an agent taken out of service for that would turn a symptom into an outage."""
        ...

    def remarks(self) -> list[str]:
        """Return faults of its own that leave it ready, a line each."""
        ...


def agent_handler(view: AgentView, authenticator: Authenticator) -> Router:
    """Return the handler of an agent's API. /healthz and /readyz need no token, because the kubelet has none."""
    paths = _Paths(view)
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
    def __init__(self, view: AgentView) -> None:
        self._view = view

    async def healthz(self, request: Request) -> Reply:
        claim = self._view.identity().claim
        who = ((IDENTITY_HEADER.lower().encode(), claim.encode()),) if claim else ()
        return Reply(b"ok\n", "text/plain", headers=who)

    async def readyz(self, request: Request) -> Reply:
        reason = self._view.ready()
        if reason:
            return error_reply(503, "; ".join([reason, *self._view.remarks()]))
        lines = ("ok", *self._view.remarks())
        return Reply("".join(f"{line}\n" for line in lines).encode(), "text/plain; charset=utf-8")

    async def metrics(self, request: Request) -> Reply:
        openmetrics = accepts_openmetrics(request.header(b"accept"))
        body = self._view.metrics(openmetrics=openmetrics)
        return Reply(body, OPENMETRICS if openmetrics else TEXT, headers=((b"vary", b"accept"),))

    async def observations(self, request: Request) -> Reply:
        chosen = Selection.of(request.query(FIELDS)).choose(self._view.latest())
        if NDJSON in request.header(b"accept"):
            return Reply(b"".join(encode_json(one) + b"\n" for one in chosen), NDJSON)
        return Reply(encode_json(chosen))

    async def snapshot(self, request: Request) -> Reply:
        request.query({})
        return Reply(encode_json(self._view.snapshot()))
