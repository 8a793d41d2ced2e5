"""The checks of what a workload in a Kubernetes cluster depends on: the API server, DNS, the own Service, the ingress.

A function of options and of what was found around this agent. What cannot be checked is returned as a sentence that
names the option or the right that is missing.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kubesonar.core.address import bracketed, family_of, is_literal
from kubesonar.core.hash_ring import place
from kubesonar.core.probing.cluster_facts import Dependencies, DnsPod, Surroundings
from kubesonar.core.probing.cluster_options import ClusterOptions, PacedOptions
from kubesonar.core.probing.plan import PROBE_PATH
from kubesonar.model import LARGE, Check, Kind, Path

API_DIRECT = "http/api_direct/api-server"
API_DNS = "http/api_dns/api-server"
"""Ids of the API server's checks, the only ones that may show a token."""


def dependencies(options: ClusterOptions, found: Surroundings) -> Dependencies:
    """Return the checks of everything that is switched on and known well enough to be asked."""
    lost = list(found.lost)
    checks = [
        *_api_server(options, found, lost),
        *_dns_service(options, found, lost),
        *_dns_pods(options, found, lost),
        *_service(options, found, lost),
        *_ingress(options),
    ]
    return Dependencies(tuple(checks), tuple(lost))


def domain(options: ClusterOptions, found: Surroundings) -> str:
    """Return the cluster's domain without a final dot, empty where it is not known."""
    return options.domain.rstrip(".") or found.domain


def _api_server(options: ClusterOptions, found: Surroundings, lost: list[str]) -> Iterator[Check]:
    api, at = options.api, found.api
    if at is None:
        return
    url = _url("https", at.address, at.port, api.path)
    direct = _http(Path.API_DIRECT, "api-server", api, url, trust=api.trust, address=at.address)
    if api.direct:
        yield direct
    known = domain(options, found)
    if api.dns and not known:
        lost.append("the API server is not checked by its name: no cluster domain in the search list (cluster.domain)")
    elif api.dns:
        name = f"kubernetes.default.svc.{known}"
        yield msgspec.structs.replace(
            direct,
            id=API_DNS,
            path=Path.API_DNS,
            address=f"{name}.",  # absolute: the search list would make five look-ups of one
            request=_url("https", name, at.port, api.path),
        )


def _dns_service(options: ClusterOptions, found: Surroundings, lost: list[str]) -> Iterator[Check]:
    """Return the checks of the DNS Service at the addresses that the resolver has, where it is the cluster's, and at
    those that the Service has."""
    dns = options.dns
    vips = set(dns.address) or {*found.resolvers, *found.vips}
    question = _question(options, found)
    if not dns.service or (found.api is None and not vips):
        return
    if not question:
        lost.append("DNS is not checked: no cluster domain in the search list (cluster.domain, cluster.dns.question)")
        return
    if not vips and found.complete:
        lost.append(
            "the DNS service is not checked: neither resolv.conf nor the API server tells its address "
            "(cluster.dns.address)"
        )
    for address in sorted(vips):
        yield from _questions(options, DnsPod("dns-service", address), Path.DNS_SERVICE, question)
    for address in sorted(set(found.caches)):
        name = f"dns-node-local-{found.node}".rstrip("-")
        yield from _questions(options, DnsPod(name, address), Path.DNS_NODE_LOCAL, question)


def _dns_pods(options: ClusterOptions, found: Surroundings, lost: list[str]) -> Iterator[Check]:
    dns = options.dns
    question = _question(options, found)
    if not (dns.pods and question):
        return
    names = sorted({pod.name for pod in found.dns_pods}, key=lambda name: place(f"{found.node} {name}"))
    if len(names) > dns.limit:
        lost.append(f"{len(names) - dns.limit} of {len(names)} DNS pods are not asked from here (cluster.dns.limit)")
    chosen = set(names[: dns.limit])
    for pod in found.dns_pods:
        if pod.name in chosen:
            yield from _questions(options, pod, Path.DNS_POD, question)


def _service(options: ClusterOptions, found: Surroundings, lost: list[str]) -> Iterator[Check]:
    service = options.service
    urls = [service.url] if service.url else [_url("http", vip.address, vip.port, PROBE_PATH) for vip in found.service]
    if not urls and service.name and found.complete:
        lost.append(
            f"the Service {service.name} is not checked: the API server does not tell its address (cluster.service.url)"
        )
    for url in urls:
        check = _http(Path.SERVICE, "service", service, url, service.expect, service.trust)
        yield msgspec.structs.replace(check, id=f"{check.id}/v6") if "[" in url else check


def _ingress(options: ClusterOptions) -> Iterator[Check]:
    ingress = options.ingress
    if ingress.url:
        yield _http(Path.INGRESS, "ingress", ingress, ingress.url, ingress.expect, ingress.trust)


def _http(
    path: Path, target: str, paced: PacedOptions, url: str, expect: str = "", trust: str = "", address: str = ""
) -> Check:
    return Check(
        id=f"http/{path}/{target}",
        kind=Kind.HTTP,
        path=path,
        target=target,
        address=address,
        request=url,
        expect=expect,
        trust=trust,
        period=paced.period,
        timeout=paced.timeout,
    )


def _question(options: ClusterOptions, found: Surroundings) -> str:
    if options.dns.question:
        return options.dns.question
    known = domain(options, found)
    return f"kubernetes.default.svc.{known} {_record_type(options, found)}" if known else ""


def _record_type(options: ClusterOptions, found: Surroundings) -> str:
    """Return the type of the record that the API server's Service has: that Service has one family, which its address
    tells (KUBERNETES_SERVICE_HOST). Where that is a name the addresses of the DNS Service tell it."""
    known = [found.api.address] if found.api is not None and is_literal(found.api.address) else []
    known = known or [*options.dns.address, *found.resolvers, *found.vips]
    return "AAAA" if known and all(family_of(address) == 6 for address in known) else "A"


def _questions(options: ClusterOptions, server: DnsPod, path: Path, question: str) -> Iterator[Check]:
    dns = options.dns
    which = f"/{server.address}" if path is not Path.DNS_POD or family_of(server.address) == 6 else ""
    large = dns.large and path is not Path.DNS_NODE_LOCAL  # what a cache on the node answers crosses no link
    for transport, asked, port in (
        ("udp", question, server.udp),
        ("tcp", question, server.tcp if dns.tcp else 0),
        (LARGE, dns.large, server.udp if large else 0),
    ):
        if port:
            yield Check(
                id=f"dns/{path}/{server.name}/{transport}{which}",
                kind=Kind.DNS,
                path=path,
                target=server.name,
                address=server.address,
                port=port,
                request=f"{asked} {transport}",
                expect="" if transport == LARGE else dns.expect,
                period=dns.period,
                timeout=dns.timeout,
                node=server.node,
            )


def _url(scheme: str, host: str, port: int, path: str) -> str:
    return f"{scheme}://{bracketed(host)}:{port}{path}"
