"""The server: its parts put together, started and stopped in order."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import time
from collections.abc import Mapping

import msgspec

from kubesonar.compat.netchecker.server.endpoints import CustomResource, NetcheckerEndpoints
from kubesonar.compat.netchecker.server.metrics import NetcheckerMetrics
from kubesonar.compat.netchecker.server.missed_reports import MissedReports
from kubesonar.compat.netchecker.server.pods import AgentPods
from kubesonar.compat.netchecker.server.records import AgentRecords
from kubesonar.compat.netchecker.server.settings import AGENT_RESOURCE, NAMESPACE, ServerSettings, store_of
from kubesonar.compat.netchecker.server.watch import ReportWatch
from kubesonar.config import ConfigError
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.loading_rules import find_credentials
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.resource import is_object_name
from kubesonar.net.clock import SystemClock
from kubesonar.runtime.supervise import Supervisor
from kubesonar.stores.write_behind import WriteBehind
from kubesonar.web import Handler, LimitOptions, Listener, ListenOptions, Reply, Request, Server

_LOG = logging.getLogger("kubesonar.netchecker")
_LIMITS = LimitOptions(connections=4096, head=65_536, body=512 << 10, request=30.0, idle=120.0, response=30.0)
"""A report has 2 to 10 KiB, and 20 bytes more for each Service where kube-proxy's mode is IPVS; what a store takes at
most is 256 KiB."""

_LEAVE = 2.0
"""Seconds that replies on their way, and then what is still to be written, get at the end. Higher: an outage delays a
rollout; lower: a slow store misses the last reports."""

_OUTAGE = 300.0
"""Seconds for which records of others, as they were read last, stand in for a store that is away."""


class NetcheckerServer:
    """The room. `environ` says where the API server is."""

    def __init__(self, settings: ServerSettings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        try:
            self._client = Client(find_credentials(environ))
        except CredentialsError as error:
            raise ConfigError(f"the API server cannot be asked for pods: {error}") from None
        self._clock = SystemClock()
        self._store = store_of(settings, self._client, self._clock)

    async def run(self, leave: asyncio.Event) -> None:
        """Serve until `leave` is set. Raises ConfigError where the address cannot be used."""
        settings, clock, supervisor = self._settings, self._clock, Supervisor()
        writer = WriteBehind(self._store, clock, random.Random(), _OUTAGE)
        resources = settings.kubeproxyinit
        records = AgentRecords(writer, clock, None if resources else float(settings.report_ttl))
        pods, metrics, missed = AgentPods(self._client), NetcheckerMetrics(), MissedReports()
        resource = self._resource() if resources else None
        handler = logged(NetcheckerEndpoints(records, pods, metrics, missed, clock, resource))
        watch = ReportWatch(records, pods, metrics, missed, writer, resources=resources)
        server = Server([Listener(ListenOptions(address=settings.endpoint), handler, _LIMITS)])
        try:
            await self._await_store(records)
            await metrics.sync(writer)
            await server.start()
            supervisor.run_forever("store", writer.run)
            supervisor.run_forever("watch", lambda: watch.run(settings.check_interval))
            _LOG.info("serving", extra={"endpoint": settings.endpoint, "store": "API server" if resources else "etcd"})
            await leave.wait()
        finally:
            await server.stop(_LEAVE)
            await metrics.sync(writer)
            await writer.settle(_LEAVE)
            await supervisor.stop()
            await self._store.close()
            self._client.close()

    async def _await_store(self, records: AgentRecords) -> None:
        """Give the store `-ping-timeout` seconds to answer, so that the first answers are those of the store."""
        until = self._clock.mono() + self._settings.ping_timeout
        while True:
            await records.all()
            if not records.trouble or self._clock.mono() >= until:
                return
            await asyncio.sleep(0.2)

    def _resource(self) -> CustomResource:
        async def found(name: str) -> bytes:
            if not is_object_name(name):
                return b""
            try:
                return bytes(await self._client.get(f"{AGENT_RESOURCE.path(NAMESPACE)}/{name}", msgspec.Raw))
            except ApiError as error:
                if error.status != 404:
                    _LOG.warning("the custom resource %s cannot be read: %s", name, error)
                return b""

        return found


def logged(handler: Handler) -> Handler:
    """Return the handler with a line for each request on standard output, as the original's access log."""

    async def answer(request: Request) -> Reply:
        began = time.monotonic()
        reply = await handler(request)
        took = (time.monotonic() - began) * 1000
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = f"[negroni] {at} | {reply.status} | \t {took:.3f}ms | {request.header(b'host')} | "
        sys.stdout.write(f"{line}{request.method} {request.path}\n")
        sys.stdout.flush()
        return reply

    return answer
