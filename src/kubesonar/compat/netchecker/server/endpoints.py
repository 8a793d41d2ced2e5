"""The handlers of the server's endpoints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kubesonar.compat.go_json import go_compact_json
from kubesonar.compat.netchecker.server.metrics import NetcheckerMetrics
from kubesonar.compat.netchecker.server.missed_reports import MissedReports
from kubesonar.compat.netchecker.server.pods import NOBODY, AgentPods, label_of
from kubesonar.compat.netchecker.server.records import AgentRecords
from kubesonar.compat.netchecker.server.routes import TEXT_PLAIN, HttpRoutes, text_error
from kubesonar.compat.netchecker.spec import AgentSpec, decode_spec
from kubesonar.core.decoding import Undecodable
from kubesonar.kube.client import ApiError
from kubesonar.net.clock import Clock
from kubesonar.views.metrics.exposition import TEXT
from kubesonar.web import Reply, Request
from kubesonar.web.router import compressed

_FAILS = "Connectivity check fails. Reason: there are absent or outdated pods; look up the payload"
_OUTDATED_AFTER = 2
"""Report intervals after which an agent's record is outdated."""

CustomResource = Callable[[str], Awaitable[bytes]]
"""A function that returns the custom resource of an agent as the API server has it, empty without one."""


class NetcheckerEndpoints:
    """The handler. With `resource` records are custom resources: an agent is known by the name in the URL, is outdated
    after two intervals, and leaves with its pod; without, they are in etcd, known by the name in the report, and end by
    themselves."""

    def __init__(
        self,
        records: AgentRecords,
        pods: AgentPods,
        metrics: NetcheckerMetrics,
        missed: MissedReports,
        clock: Clock,
        resource: CustomResource | None,
    ) -> None:
        self._records = records
        self._pods = pods
        self._metrics = metrics
        self._missed = missed
        self._clock = clock
        self._resource = resource
        fixed = {"/api/v1/agents/": self._all, "/api/v1/connectivity_check": self._check}
        fixed |= {"/api/v1/ping": self._ping, "/metrics": self._exposed}
        self._routes = HttpRoutes(
            {path: {"GET": answer} for path, answer in fixed.items()}, {"GET": self._one, "POST": self._report}
        )

    async def __call__(self, request: Request) -> Reply:
        """Return the answer."""
        return await self._routes(request)

    async def _report(self, request: Request, name: str) -> Reply:
        try:
            spec = decode_spec(request.body).received(self._clock.wall())
        except Undecodable as error:
            self._metrics.report(NOBODY, AgentSpec())
            return text_error(500, f"Error while unmarshaling data. Details: {error}")
        pod = spec.podname if self._resource is None else name
        self._metrics.report(label_of(spec.nodename or self._pods.nodes.get(pod, ""), pod), spec)
        self._missed.reported(pod)
        self._records.keep(pod, spec)
        return Reply(kind="")

    async def _one(self, request: Request, name: str) -> Reply:
        if self._resource is not None:
            found = await self._resource(name)
            return Reply(found, TEXT_PLAIN if found else "")
        return Reply(go_compact_json((await self._records.all()).get(name, AgentSpec())), TEXT_PLAIN)

    async def _all(self, request: Request, name: str) -> Reply:
        records = await self._records.all()
        if self._resource is not None:
            try:
                pods = {pod.name for pod in await self._pods.all()}
            except ApiError as error:
                return _unchecked(error)
            records = {pod: spec for pod, spec in records.items() if pod in pods}
        return Reply(go_compact_json(records), TEXT_PLAIN)

    async def _check(self, request: Request, name: str) -> Reply:
        try:
            pods = [pod.name for pod in await self._pods.all()]
        except ApiError as error:
            return _unchecked(error)
        records = await self._records.all()
        absent = [pod for pod in pods if pod not in records]
        if absent and self._records.trouble:
            return _unchecked(f"the store does not answer: {self._records.trouble}")
        if self._resource is None:
            outdated = None
        else:
            outdated = [pod for pod in pods if pod in records and self._outdated(pod, records[pod])]
            records = {pod: spec for pod, spec in records.items() if pod in pods}
        if absent or outdated:
            return Reply(go_compact_json({"Message": _FAILS, "Absent": absent, "Outdated": outdated}), TEXT_PLAIN, 400)
        message = f"All {len(records)} pods successfully reported back to the server"
        return Reply(go_compact_json({"Message": message, "Absent": None, "Outdated": None}), TEXT_PLAIN)

    def _outdated(self, pod: str, spec: AgentSpec) -> bool:
        return self._records.age(pod, spec) > _OUTDATED_AFTER * spec.report_interval

    async def _ping(self, request: Request, name: str) -> Reply:
        return Reply(kind="")

    async def _exposed(self, request: Request, name: str) -> Reply:
        return compressed(request, Reply(self._metrics.render(), TEXT))


def _unchecked(error: object) -> Reply:
    return text_error(500, f"Error occurred while checking the agents. Details: {error}")
