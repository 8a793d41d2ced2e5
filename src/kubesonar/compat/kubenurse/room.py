"""The room: its parts put together, started and stopped in order."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping

from kubesonar.compat.kubenurse.checks.api_server import ApiServerCheck
from kubesonar.compat.kubenurse.checks.client import CheckClient
from kubesonar.compat.kubenurse.checks.plan import CheckPlan
from kubesonar.compat.kubenurse.checks.rounds import Rounds
from kubesonar.compat.kubenurse.checks.trust import TrustContexts
from kubesonar.compat.kubenurse.listener.endpoints import KubenurseEndpoints
from kubesonar.compat.kubenurse.listener.incoming import IncomingChecks
from kubesonar.compat.kubenurse.metrics.instruments import CheckInstruments
from kubesonar.compat.kubenurse.metrics.render import MetricsPage
from kubesonar.compat.kubenurse.neighbours.discovery import Discovery, PodView
from kubesonar.compat.kubenurse.neighbours.selection import OwnPod
from kubesonar.compat.kubenurse.settings import KubenurseSettings, kubenurse_settings, misspelt_variables
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.credentials import Credentials
from kubesonar.kube.auth.loading_rules import find_credentials, in_cluster
from kubesonar.model import Network
from kubesonar.net.clock import SystemClock
from kubesonar.net.http.proxy.environment import Proxies
from kubesonar.probes.source import ProbeSource
from kubesonar.runtime.supervise import Supervisor
from kubesonar.web import LimitOptions, Listener, ListenOptions, Server

_LOG = logging.getLogger("kubesonar.kubenurse")
_LIMITS = LimitOptions(connections=512, head=65_536, body=65_536, request=5.0, idle=120.0, response=10.0)
_LEAVE = 5.0
"""Seconds that replies on their way get at the end."""
_PORT, _TLS_PORT = 8080, 8443


def open_kubenurse(environ: Mapping[str, str]) -> KubenurseRoom:
    """Return the room that `environ` describes. Raises ConfigError."""
    settings = kubenurse_settings(environ)
    for name in misspelt_variables(environ):
        _LOG.warning("the variable %s sets nothing: it is misspelt, or of another version", name)
    proxies = Proxies(environ)
    if proxies.trouble:
        _LOG.warning("%s; checks go straight to their targets", proxies.trouble)
    return KubenurseRoom(settings, _credentials(settings, environ), proxies)


class KubenurseRoom:
    """Listeners, rounds of checks, and discovery. `credentials` may be the error that says why there are none; then
    there are no neighbours."""

    def __init__(
        self, settings: KubenurseSettings, credentials: Credentials | CredentialsError, proxies: Proxies
    ) -> None:
        self._settings = settings
        self._proxies = proxies
        self._credentials = credentials
        self._name = settings.pod_name or socket.gethostname()
        self._discovery: Discovery | None = None
        self._leaving = False

    async def run(self, leave: asyncio.Event) -> None:
        """Serve and check until `leave` is set; then stop the checks, and go on serving for the time of grace with
        /ready at 503. Raises ConfigError where an address or a certificate cannot be used."""
        settings, clock, supervisor = self._settings, SystemClock(), Supervisor()
        usable = None if isinstance(self._credentials, CredentialsError) else self._credentials
        instruments = CheckInstruments(settings.histogram_buckets, ranges=settings.victoriametrics_histogram)
        source = ProbeSource(self._name, Network.POD)
        keep, period = settings.reuse_connections, settings.check_interval
        getter = CheckClient(source, instruments.add, self._proxies, keep=keep, period=period)
        contexts = TrustContexts(_authorities(settings), insecure=settings.insecure)
        authority = ApiServerCheck(getter, contexts, usable, clock.mono)
        checks = CheckPlan(settings, getter, contexts, authority, self._name, _neighbour_port(settings))
        rounds = Rounds(settings, checks, self._look, instruments, clock)
        metrics = MetricsPage(instruments, metadata=settings.expose_metadata, older=settings.metrics == "both")
        app = KubenurseEndpoints(settings, self._name, rounds, metrics, IncomingChecks(clock.mono), self._ready)
        server = Server([Listener(options, app, _LIMITS) for options in _listeners(settings)])
        await server.start()
        try:
            if usable is not None:
                self._discovery = Discovery(settings, usable, self._name)
                self._discovery.start(supervisor)
            supervisor.run_forever("rounds", rounds.run)
            _LOG.info("serving", extra={"pod": self._name, "listen": ",".join(settings.listen)})
            await leave.wait()
            self._leaving = True
            await supervisor.stop()
            await rounds.stop()
            _LOG.info("leaving: no more checks", extra={"grace": settings.shutdown_duration})
            await asyncio.sleep(settings.shutdown_duration)
        finally:
            await supervisor.stop()
            await rounds.stop()
            await server.stop(_LEAVE)
            getter.close()
            if self._discovery is not None:
                self._discovery.close()

    def _look(self) -> PodView:
        if self._discovery is not None:
            return self._discovery.look()
        trouble = str(self._credentials) if isinstance(self._credentials, CredentialsError) else "not begun"
        return PodView(trouble, OwnPod(None, self._settings.node_name))

    def _ready(self) -> bool:
        return not self._leaving and not (self._discovery is not None and self._discovery.cordoned)


def _credentials(settings: KubenurseSettings, environ: Mapping[str, str]) -> Credentials | CredentialsError:
    try:
        return in_cluster(environ, settings.service_account) if settings.api_host else find_credentials(environ)
    except CredentialsError as error:
        _LOG.warning("no neighbours: %s", error)
        return error


def _authorities(settings: KubenurseSettings) -> tuple[str, ...]:
    cluster = (f"{settings.service_account}/ca.crt",) if settings.api_host else ()
    return cluster + ((settings.extra_ca,) if settings.extra_ca else ())


def _listeners(settings: KubenurseSettings) -> list[ListenOptions]:
    plain = [ListenOptions(address=address) for address in settings.listen]
    if not settings.use_tls:
        return plain
    pair = {"certificate_file": settings.cert_file, "key_file": settings.cert_key}
    return [*plain, *(ListenOptions(address=address, **pair) for address in settings.listen_tls)]


def _neighbour_port(settings: KubenurseSettings) -> int:
    """Return the port of our own listener: neighbours listen at the same one."""
    addresses, usual = (settings.listen_tls, _TLS_PORT) if settings.use_tls else (settings.listen, _PORT)
    ports = (address.rpartition(":")[2] for address in addresses if not address.startswith("unix:"))
    return int(next(ports, usual))
