"""What workloads in this agent's cluster depend on: found in its environment and by asking the API server."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.config import ConfigError
from kubesonar.core.probing import resolv_conf
from kubesonar.core.probing.cluster_checks import API_DIRECT, API_DNS, dependencies
from kubesonar.core.probing.cluster_facts import Dependencies, ServiceEndpoint, Surroundings
from kubesonar.core.probing.stale_targets import Doubts
from kubesonar.model import Check, Fault, Observation, Path
from kubesonar.net.clock import SystemClock
from kubesonar.net.deadline import Failed
from kubesonar.probes.source import Probe
from kubesonar.probes.terms import Bearer, Terms

if TYPE_CHECKING:
    from kubesonar.discovery.services import ServicesUpdate, ServiceWatch
    from kubesonar.kube.client import Client

_LOG = logging.getLogger("kubesonar.agent")
_SIZE = 65_536
_HTTPS = 443


class ClusterWatch:
    """Finds what there is to check, again as it changes: `changed` is called with it then. `terms` are those of single
    checks. Raises ConfigError where the environment says what cannot be. `close` it."""

    def __init__(
        self, options: AgentOptions, environ: Mapping[str, str], changed: Callable[[Dependencies], None]
    ) -> None:
        self._options = options
        self._environ = environ if options.cluster.detect else {}
        self._changed = changed
        self._client: Client | None = None
        self._watch: ServiceWatch | None = None
        self._agents = 1
        self._doubts = Doubts()
        resolver = _resolver(options.cluster.resolv_conf)
        self.names = 1 + len(resolver.search)
        """How many names a look-up may try."""
        self._found = Surroundings(
            node=options.member.node or options.member.name,
            api=_api_server(options, self._environ),
            domain=resolver.domain,
            nameservers=resolver.nameservers,
        )
        self.terms: Mapping[str, Terms] = self._terms()

    @property
    def dependencies(self) -> Dependencies:
        """What is known now."""
        return dependencies(self._options.cluster, self._found)

    def agents(self, count: int) -> None:
        """So many agents share the budgets."""
        self._agents = count
        if self._watch is not None:
            self._watch.agents = count

    def careful(self, probe: Probe) -> Probe:
        """The probe, that accuses no DNS pod that may be gone."""

        async def ask(check: Check) -> Observation:
            return self._judged(await probe(check))

        return ask

    def _judged(self, observation: Observation) -> Observation:
        if observation.check.path is not Path.DNS_POD or self._watch is None:
            return observation
        if observation.fault is not None and observation.fault.accuses:
            self._watch.doubt()
        return self._doubts.judged(observation, self._watch.listed)

    async def watch(self) -> None:
        """For ever; where there is no API server to ask it is done at once."""
        self._watch = self._watcher()
        self._changed(self.dependencies)
        if self._watch is not None:
            self._watch.agents = self._agents
            await self._watch.run()

    def close(self) -> None:
        """Closes what is open to the API server."""
        if self._client is not None:
            self._client.close()

    def _watcher(self) -> ServiceWatch | None:
        """Imports what only agents in a cluster pay for."""
        kubernetes, cluster = self._options.roster.kubernetes, self._options.cluster
        if not (cluster.detect and (self._environ.get("KUBERNETES_SERVICE_HOST") or kubernetes.kubeconfig)):
            return None
        from kubesonar.discovery.services import ServiceWatch
        from kubesonar.kube.auth.credential_file import CredentialsError
        from kubesonar.kube.auth.loading_rules import find_credentials
        from kubesonar.kube.client import Client

        try:
            self._client = self._client or Client(find_credentials(self._environ, kubernetes.kubeconfig))
        except CredentialsError as error:
            reason = f"DNS pods and Services are not found: {error}"
            self._found = msgspec.structs.replace(self._found, lost=(reason,))
            return None
        self._found = msgspec.structs.replace(self._found, complete=False)
        return ServiceWatch(
            self._client,
            cluster,
            not self._found.resolvers,
            kubernetes.direct_limit,
            self._told,
            rng=random.Random(),
            clock=SystemClock(),
        )

    def _told(self, told: ServicesUpdate) -> None:
        self._found = msgspec.structs.replace(
            self._found,
            dns_pods=told.dns_pods,
            vips=told.vips,
            service=told.service,
            lost=told.lost,
            complete=told.complete,
        )
        self._changed(self.dependencies)

    def _terms(self) -> Mapping[str, Terms]:
        api, at = self._options.cluster.api, self._found.api
        if at is None:
            return {}
        bearer = Bearer(at.address, at.port, api.trust, self._token) if api.token_file and api.trust else None
        return dict.fromkeys((API_DIRECT, API_DNS), Terms(bearer, api.full))

    def _token(self) -> str:
        """The service account's token as it is now."""
        from kubesonar.kube.auth.credential_file import CredentialsError, credential_file
        from kubesonar.kube.auth.identity import checked_token

        try:
            return checked_token(credential_file(self._options.cluster.api.token_file)())
        except CredentialsError as error:
            raise Failed(Fault.LOCAL, str(error)) from None


def _api_server(options: AgentOptions, environ: Mapping[str, str]) -> ServiceEndpoint | None:
    api = options.cluster.api
    host = api.host or environ.get("KUBERNETES_SERVICE_HOST", "")
    port = environ.get("KUBERNETES_SERVICE_PORT", "") if not api.port else str(api.port)
    if not host:
        return None
    if port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65_536):
        raise ConfigError(f'environment variable KUBERNETES_SERVICE_PORT: got "{port[:80]}", expected a port')
    return ServiceEndpoint(host, int(port or _HTTPS))


def _resolver(path: str) -> resolv_conf.ResolvConf:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # pathlib would be loaded for this alone
            return resolv_conf.parse(file.read(_SIZE).decode("utf-8", "replace"))
    except OSError as error:
        _LOG.info("the resolver's configuration cannot be read", extra={"path": path, "reason": error.strerror})
        return resolv_conf.ResolvConf()
