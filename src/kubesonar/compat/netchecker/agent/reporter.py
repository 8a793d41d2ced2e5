"""Reports each interval, and probes meanwhile."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from kubesonar.compat.go_json import go_compact_json
from kubesonar.compat.netchecker.agent.facts import addresses_of_interfaces, looked_up, node_uptime
from kubesonar.compat.netchecker.agent.probe import UrlProber
from kubesonar.compat.netchecker.agent.settings import AgentSettings
from kubesonar.compat.netchecker.spec import AgentSpec, ProbeResult, go_time, payload
from kubesonar.net.clock import SystemClock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.client import HttpClient
from kubesonar.net.http.exchange import CLOSE, USER_AGENT, HttpRequest
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.response_reader import ResponseLimits
from kubesonar.runtime.logs import Changes
from kubesonar.runtime.supervise import Supervisor

_LOG = logging.getLogger("kubesonar.netchecker")
_LIMITS = ResponseLimits(body=65_536)


class NetcheckerAgent:
    """The agent of a pod on a node. Raises ValueError where the server's endpoint is none."""

    def __init__(self, settings: AgentSettings, pod: str, node: str) -> None:
        self._settings = settings
        self._server = settings.server
        self._pod = pod
        self._node = node
        self._clock = SystemClock()
        self._changes = Changes(_LOG)

    async def run(self, leave: asyncio.Event) -> None:
        """Report until `leave` is set."""
        supervisor, resolver = Supervisor(), Resolver()
        client = HttpClient(resolver=resolver)
        supervisor.run_forever("reports", lambda: self._report_for_ever(client, resolver))
        _LOG.info("reporting", extra={"server": self._settings.serverendpoint, "pod": self._pod, "node": self._node})
        try:
            await leave.wait()
        finally:
            await supervisor.stop()
            client.close()

    async def _report_for_ever(self, client: HttpClient, resolver: Resolver) -> None:
        """A report comes at the end of each interval, whose probes it has; how long it takes does not move the next."""
        prober = UrlProber(client, self._settings.timeout)
        interval = self._settings.reportinterval
        due = self._clock.mono()
        while True:
            due = max(due + interval, self._clock.mono())
            probes = await asyncio.gather(*map(prober.probe, self._settings.urls))
            await asyncio.sleep(due - self._clock.mono())
            await self._post(client, await self._spec(resolver, list(probes)))

    async def _spec(self, resolver: Resolver, probes: list[ProbeResult]) -> AgentSpec:
        return AgentSpec(
            report_interval=self._settings.reportinterval,
            nodename=self._node,
            podname=self._pod,
            uptime=node_uptime(),
            nslookup=await looked_up(resolver, self._server.host),
            network_probes=probes,
            ips=addresses_of_interfaces(),
            hostdate=go_time(self._clock.wall()),
        )

    async def _post(self, client: HttpClient, spec: AgentSpec) -> None:
        body = go_compact_json(payload(spec.in_order(), self._settings.zeroextenderlength))
        url = msgspec.structs.replace(self._server, target=f"/api/v1/agents/{self._pod}")
        headers = (USER_AGENT, ("Content-Type", "application/json"), CLOSE)
        request = HttpRequest.make("POST", url, headers, body)
        try:
            with Deadline(self._settings.timeout) as deadline:
                response = await client.request(Origin.of(url), request, deadline, _LIMITS)
        except Failed as failed:
            trouble = failed.detail
        else:
            trouble = response.detail or (response.fault.value if response.fault else "")
            trouble = trouble or ("" if response.status == 200 else f"status {response.status}")
        self._changes.note("the report", trouble)
        _LOG.debug("report sent", extra={"bytes": len(body), "trouble": trouble or "none"})
