"""Finds what workloads in this agent's cluster depend on: in the environment, and by asking the API server."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from math import inf
from typing import TYPE_CHECKING

import msgspec

from kubesonar.apps.agent.options import MemberOptions
from kubesonar.config import ConfigError
from kubesonar.core.address import read_port
from kubesonar.core.probing import resolv_conf
from kubesonar.core.probing.cluster_checks import API_DIRECT, API_DNS, dependencies
from kubesonar.core.probing.cluster_document import ClusterDocument
from kubesonar.core.probing.cluster_facts import Dependencies, ServiceEndpoint, Surroundings
from kubesonar.core.probing.cluster_options import ApiServerOptions, ClusterOptions
from kubesonar.discovery.options import KubernetesOptions
from kubesonar.model import Fault
from kubesonar.net.clock import SystemClock
from kubesonar.net.deadline import Failed
from kubesonar.net.dns.resolver_file import read_resolv_conf
from kubesonar.net.watched_file import reason_of
from kubesonar.probes.http.terms import Bearer, Terms

if TYPE_CHECKING:
    from kubesonar.discovery.services import ServicesUpdate, ServiceWatch
    from kubesonar.kube.client import Client

_LOG = logging.getLogger("kubesonar.agent")

_HTTPS = 443


class ClusterWatch:
    """Finds what there is to check, and finds it anew as it changes. `kubernetes` says how the API server is asked,
    `me` which member this is; with `told` it is not asked, as a collector says what it knows. `terms` hold for single
    checks, by id; `names` is how many names a look-up may try. Raises ConfigError where the environment holds what
    cannot be used. `close` it."""

    def __init__(
        self,
        options: ClusterOptions,
        kubernetes: KubernetesOptions,
        me: MemberOptions,
        environ: Mapping[str, str],
        *,
        told: bool = False,
    ) -> None:
        self._told = told
        self._options = options
        self._kubernetes = kubernetes
        self._environ = environ if options.detect else {}
        self._changed: Callable[[Dependencies], None] = lambda found: None
        self._client: Client | None = None
        self._watch: ServiceWatch | None = None
        self._agents = 1
        resolver = _resolver(options.resolv_conf)
        self.names = 1 + len(resolver.search)
        self._found = Surroundings(
            node=me.node or me.name,
            api=_api_server(options.api, self._environ),
            domain=resolver.domain,
            nameservers=resolver.nameservers,
            complete=not told,
        )
        self.terms: Mapping[str, Terms] = self._terms()

    @property
    def dependencies(self) -> Dependencies:
        """The checks of what is known now."""
        return dependencies(self._options, self._found)

    @property
    def listed(self) -> float:
        """The time when DNS pods were listed last (Unix seconds); infinite while they are watched."""
        return self._watch.listed if self._watch is not None else inf

    def doubt(self) -> None:
        """Ask for a new list of DNS pods soon, as one does not answer."""
        if self._watch is not None:
            self._watch.recheck()

    def agents(self, count: int) -> None:
        """Take note that `count` agents share the budgets."""
        self._agents = count
        if self._watch is not None:
            self._watch.shared_by(count)

    async def watch(self, changed: Callable[[Dependencies], None]) -> None:
        """Call `changed` with what there is to check, and again as that changes, for ever; once, where there is no API
        server to ask."""
        self._changed = changed
        self._watch = self._watcher()
        changed(self.dependencies)
        if self._watch is not None:
            await self._watch.run()

    def close(self) -> None:
        """Close what is open to the API server."""
        if self._client is not None:
            self._client.close()

    def _watcher(self) -> ServiceWatch | None:
        """Return the watch. Its modules are imported here, because only agents in a cluster should pay for them."""
        kubernetes, cluster = self._kubernetes, self._options
        if self._told or not (
            cluster.detect and (self._environ.get("KUBERNETES_SERVICE_HOST") or kubernetes.kubeconfig)
        ):
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
            self._take,
            agents=self._agents,
            rng=random.Random(),
            clock=SystemClock(),
        )

    def tell(self, document: ClusterDocument) -> None:
        """Take what a collector knows of Services."""
        self._found = msgspec.structs.replace(
            self._found,
            dns_pods=document.dns_pods,
            vips=document.vips,
            service=document.service,
            lost=document.lost,
            complete=document.complete,
        )
        self._changed(self.dependencies)

    def _take(self, update: ServicesUpdate) -> None:
        self._found = msgspec.structs.replace(self._found, **msgspec.structs.asdict(update))
        self._changed(self.dependencies)

    def _terms(self) -> Mapping[str, Terms]:
        api, at = self._options.api, self._found.api
        if at is None:
            return {}
        bearer = Bearer(at.address, at.port, api.trust, self._token) if api.token_file and api.trust else None
        return dict.fromkeys((API_DIRECT, API_DNS), Terms(bearer, api.full))

    def _token(self) -> str:
        """Return the service account's token as it is now; raises `Failed`."""
        from kubesonar.kube.auth.credential_file import CredentialsError, credential_file
        from kubesonar.kube.auth.identity import checked_token

        try:
            return checked_token(credential_file(self._options.api.token_file)())
        except CredentialsError as error:
            raise Failed(Fault.LOCAL, str(error)) from None


def _api_server(api: ApiServerOptions, environ: Mapping[str, str]) -> ServiceEndpoint | None:
    host = api.host or environ.get("KUBERNETES_SERVICE_HOST", "")
    port = environ.get("KUBERNETES_SERVICE_PORT", "") if not api.port else str(api.port)
    if not host:
        return None
    if port and not read_port(port):
        raise ConfigError(f'environment variable KUBERNETES_SERVICE_PORT: got "{port[:80]}", expected a port')
    return ServiceEndpoint(host, int(port or _HTTPS))


def _resolver(path: str) -> resolv_conf.ResolvConf:
    try:
        return read_resolv_conf(path)
    except (OSError, ValueError) as error:
        _LOG.info("the resolver's configuration cannot be read", extra={"path": path, "reason": reason_of(error)})
        return resolv_conf.ResolvConf()
