"""Finds a cluster's DNS: the Service, the pods behind it, the cache on the nodes, upstream servers, the cluster domain.

Everything is read once. What cannot be read is said in a sentence that names the rule which would grant it, and the
rest is used.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from typing import TypeVar

import msgspec

from kubesonar.core.address import is_literal
from kubesonar.core.dns_check import corefile
from kubesonar.core.dns_check.questions import AskedServer, ServerRole
from kubesonar.core.probing.resolv_conf import ResolvConf
from kubesonar.doctor.objects import AddressedNode, ConfigMap, ContainedPod, FullService
from kubesonar.doctor.rights import (
    DnsPlace,
    Rule,
    api_rule,
    cache_rule,
    corefile_rule,
    nodes_rule,
    services_rule,
    slices_rule,
)
from kubesonar.doctor.servers import (
    LINK_LOCAL,
    SERVICE_LABEL,
    DnsTarget,
    cache_addresses,
    chosen_service,
    headless_names,
    node_port_servers,
    outside_servers,
    pod_servers,
    selects_the_same,
    service_servers,
    upstream_servers,
)
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.resource import NODES, Resource, endpoint_slices, pods, services
from kubesonar.kube.types import EndpointSlice

_EXPOSED_NODES = 4
"""Most nodes whose NodePort is asked: all of them lead to the same pods."""

_CACHE_LABEL = "k8s-app=node-local-dns"
"""Label of the pods of NodeLocal DNSCache in its own manifest (kubernetes/cluster/addons/dns/nodelocaldns)."""

_WHOLE = {0: "no answer of the API server", 401: "the API server does not know who asks"}
"""Clauses about the whole API server where a status is none of the single resource; 0 is no answer."""

R = TypeVar("R")


class DnsSystem(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster's DNS as it was found. `servers` are the Service's addresses and the pods, `exposed` the addresses from
    outside, `api` the addresses of the Service kubernetes; `node_resolver` is whether the upstream servers are those of
    the resolver of each DNS pod's node, which were not found; `unknown` says what was not found, and why, and
    `answered` whether the API server answered to everything, if only by a refusal."""

    namespace: str
    name: str
    selector: str = ""
    domain: str = ""
    api: tuple[str, ...] = ()
    vips: tuple[str, ...] = ()
    servers: tuple[AskedServer, ...] = ()
    exposed: tuple[AskedServer, ...] = ()
    caches: tuple[AskedServer, ...] = ()
    upstreams: tuple[AskedServer, ...] = ()
    headless: str = ""
    large: str = ""
    node_resolver: bool = False
    unknown: tuple[str, ...] = ()
    answered: bool = True

    @property
    def pods(self) -> tuple[AskedServer, ...]:
        """The pods behind the Service."""
        return tuple(server for server in self.servers if server.role is ServerRole.POD)


async def find_dns(
    client: Client | None, target: DnsTarget, conf: ResolvConf, *, inside: bool, exposed: bool
) -> DnsSystem:
    """Return the cluster's DNS. `client` is None where there is no API server to ask; `conf` is this machine's
    resolver, which counts where this process is `inside` the cluster; addresses from outside are looked for where they
    may be asked (`exposed`)."""
    found = _Finder(client, target)
    all_services = await found.services()
    service = chosen_service(all_services, target)
    if service is None and client is not None and not found.unknown:
        found.unknown.append(f"there is no Service {target.namespace}/{target.name}: name it with --service")
    elif service is not None and service.metadata.name != target.name != DnsTarget().name:
        found.unknown.append(
            f"there is no Service {target.namespace}/{target.name}: {service.metadata.name} is asked, by its label"
        )
    name = service.metadata.name if service else target.name
    slices = await found.slices()
    behind = [part for part in slices if part.metadata.labels.get(SERVICE_LABEL) == name]
    config = await found.corefile()
    nameservers = conf.nameservers if inside and conf.domain else ()
    vips = service.vips if service else tuple(a for a in nameservers if not a.startswith(LINK_LOCAL))
    servers = [*service_servers(name, vips, service, target), *pod_servers(behind, service, target, found.unknown)]
    upstreams, node_resolver = _upstreams(config, target, conf if inside else ResolvConf())
    headless, large = headless_names(all_services, slices, target.domain or conf.domain or config.domain)
    selector = service.spec.selector if service else None
    return DnsSystem(
        namespace=target.namespace,
        name=name,
        selector=",".join(f"{key}={value}" for key, value in (selector or {}).items()),
        domain=(target.domain or (conf.domain if inside else "") or config.domain).rstrip("."),
        api=await found.api(),
        vips=vips,
        servers=tuple(servers),
        exposed=tuple(await found.exposed(service, all_services)) if exposed else (),
        caches=tuple(await found.caches(nameservers, vips)),
        upstreams=tuple(upstream_servers(upstreams)),
        node_resolver=node_resolver,
        headless=target.headless or headless,
        large=target.large or large,
        unknown=tuple(dict.fromkeys(found.unknown)),
        answered=found.answered,
    )


def _upstreams(config: corefile.Corefile, target: DnsTarget, own: ResolvConf) -> tuple[Sequence[tuple[str, int]], bool]:
    """Return the servers that CoreDNS asks for outside names, or those given in their place, by address and port, and
    whether they are the node's and not known. A pod's `own` resolver without the cluster's domain is its node's
    (dnsPolicy Default)."""
    if given := [(address, 53) for address in target.upstream]:
        return given, False
    if config.resolv_conf and not config.upstreams:
        near = [(address, 53) for address in own.nameservers if not own.domain and is_literal(address)]
        return near, not near
    return config.upstreams, False


class _Finder:
    """Reads from the API server; `unknown` collects what could not be read, `answered` is False once it was silent or
    broken."""

    def __init__(self, client: Client | None, target: DnsTarget) -> None:
        self.unknown: list[str] = []
        self.answered = True
        self._client = client
        self._target = target
        self._place = DnsPlace(dns=target.namespace)

    async def services(self) -> list[FullService]:
        if self._client is None:
            return []
        what = Resource(services(self._target.namespace), FullService)
        listing = await self._tried(self._client.list(what), "Services", services_rule(self._place))
        return listing.items if listing else []

    async def slices(self) -> list[EndpointSlice]:
        if self._client is None:
            return []
        what = Resource(endpoint_slices(self._target.namespace), EndpointSlice)
        listing = await self._tried(self._client.list(what), "DNS pods", slices_rule(self._place))
        return listing.items if listing else []

    async def corefile(self) -> corefile.Corefile:
        if self._client is None:
            return corefile.Corefile()
        path = f"/api/v1/namespaces/{self._target.namespace}/configmaps/coredns"
        found = await self._tried(self._client.get(path, ConfigMap), "the Corefile", corefile_rule(self._place))
        return corefile.parse((found.data or {}).get("Corefile", "")) if found else corefile.Corefile()

    async def api(self) -> tuple[str, ...]:
        if self._client is None:
            return ()
        path = "/api/v1/namespaces/default/services/kubernetes"
        found = await self._tried(self._client.get(path, FullService), "the Service kubernetes", api_rule())
        return found.vips if found else ()

    async def caches(self, nameservers: Iterable[str], vips: Sequence[str]) -> list[AskedServer]:
        """Return the caches on the nodes: what the resolver asks at a link-local address, and where the cache's own
        pods listen."""
        addresses = [address for address in nameservers if address.startswith(LINK_LOCAL)]
        if self._client is not None:
            what = Resource(pods(self._target.namespace), ContainedPod, labels=_CACHE_LABEL)
            listing = await self._tried(self._client.list(what), "NodeLocal DNSCache", cache_rule(self._place))
            args = (arg for pod in (listing.items if listing else ()) for arg in cache_addresses(pod))
            addresses += [address for address in args if address not in vips]
        return [AskedServer(f"cache {at}", ServerRole.CACHE, at) for at in dict.fromkeys(addresses)]

    async def exposed(self, service: FullService | None, all_services: Iterable[FullService]) -> list[AskedServer]:
        """Return the addresses from outside that lead to the DNS pods."""
        if service is None or self._client is None or not service.spec.selector:
            return []
        selecting = [one for one in all_services if selects_the_same(one, service)]
        servers = [server for one in selecting for server in outside_servers(one, self._target.port)]
        if any(port.node_port for one in selecting for port in one.spec.ports or ()):
            what = Resource(NODES, AddressedNode)
            listing = await self._tried(self._client.list(what), "addresses of NodePorts", nodes_rule())
            nodes = listing.items[:_EXPOSED_NODES] if listing else []
            servers += [
                server for one in selecting for node in nodes for server in node_port_servers(one, node, self._target)
            ]
        return servers

    async def _tried(self, request: Awaitable[R], what: str, rule: Rule) -> R | None:
        try:
            return await request
        except ApiError as error:
            if error.status == 403:
                self.unknown.append(f"{what}: no right; {rule.line} would grant it")
            elif error.status != 404:
                self.answered = False
                self.unknown.append(_WHOLE.get(error.status, what) + f": {error}")
            return None
