"""Decides which trials cross DNS servers, the cluster's DNS, and Services, whose addresses every node translates for
itself."""

from __future__ import annotations

from kubesonar.core.diagnosis.parts.conditions import API_PATHS, answers, gone, speed, to_plain_target
from kubesonar.core.diagnosis.parts.traversal import Aspect, Traversal
from kubesonar.model import Kind, Path

CLUSTER_DNS_PATHS = (Path.DNS_POD, Path.DNS_SERVICE)
DNS_PATHS = (*CLUSTER_DNS_PATHS, Path.DNS_NODE_LOCAL, Path.DNS_EXPOSED)

VIRTUAL_PATHS = (Path.DNS_SERVICE, Path.SERVICE, *API_PATHS)
"""Paths through virtual addresses, which every node translates for itself."""

OUTSIDE_PATHS = (Path.EXTERNAL, Path.INGRESS)
"""Paths to names outside of the cluster."""

_ASKED = (Aspect.REACH, Aspect.ANSWER)


def dns(route: Traversal) -> bool:
    """Questions to DNS servers."""
    return (route.kind is Kind.DNS and to_plain_target(route, DNS_PATHS)) or cluster_dns(route)


def cluster_dns(route: Traversal) -> bool:
    """Questions to the servers of the cluster's DNS: also for names outside, where it is they that are asked."""
    if route.kind is not Kind.DNS or route.question is Aspect.RESOLVE:
        return False
    return outside(route) or to_plain_target(route, CLUSTER_DNS_PATHS)


def dns_udp(route: Traversal) -> bool:
    """Questions by UDP that nobody answers."""
    return route.question is Aspect.RESOLVE or (route.reach and not route.tcp and dns(route))


def dns_large(route: Traversal) -> bool:
    """Questions by UDP for large answers, of which none comes."""
    return route.large and route.reach and dns(route)


def dns_tcp(route: Traversal) -> bool:
    """Questions by TCP that nobody answers."""
    return route.reach and route.tcp and dns(route)


def dns_tcp_refused(route: Traversal) -> bool:
    """Questions by TCP that are refused or answered wrongly."""
    return route.question is Aspect.ANSWER and route.tcp and dns(route)


def dns_silent(route: Traversal) -> bool:
    """Questions that nobody answers, but to the caches on the nodes."""
    return route.question is Aspect.RESOLVE or (route.reach and dns(route) and not to_cache(route))


def dns_gone(route: Traversal) -> bool:
    """Whether a DNS server that is gone fails trials on that route; not the caches on the nodes."""
    return route.question is Aspect.RESOLVE or (gone(route) and dns(route) and not to_cache(route))


def dns_wrong(route: Traversal) -> bool:
    """Whether a DNS server that answers wrongly, and is heard all the same, fails trials on that route; not the caches
    on the nodes."""
    return route.question is Aspect.RESOLVE or (answers(route) and dns(route) and not to_cache(route))


def to_cache(route: Traversal) -> bool:
    """Questions to the DNS cache on the source's node."""
    return route.kind is Kind.DNS and to_plain_target(route, (Path.DNS_NODE_LOCAL,))


def cache_silent(route: Traversal) -> bool:
    """Questions to the DNS cache that it does not answer."""
    return route.reach and to_cache(route)


def cache_gone(route: Traversal) -> bool:
    """Whether a DNS cache that is gone fails trials on that route."""
    return gone(route) and to_cache(route)


def cache_wrong(route: Traversal) -> bool:
    """Whether a DNS cache that answers wrongly fails trials on that route."""
    return answers(route) and to_cache(route)


def cluster_dns_silent(route: Traversal) -> bool:
    """Questions to the cluster's DNS that nobody answers."""
    return route.question is Aspect.RESOLVE or (route.reach and cluster_dns(route))


def cluster_dns_gone(route: Traversal) -> bool:
    """Whether the cluster's DNS fails trials on that route where its servers are gone."""
    return route.question is Aspect.RESOLVE or (gone(route) and cluster_dns(route))


def cluster_dns_wrong(route: Traversal) -> bool:
    """Whether the cluster's DNS fails trials on that route where its servers answer wrongly."""
    return route.question is Aspect.RESOLVE or (answers(route) and cluster_dns(route))


def cluster_dns_udp(route: Traversal) -> bool:
    """Questions by UDP to the cluster's DNS that nobody answers."""
    return cluster_dns_silent(route) and not route.tcp


def cluster_dns_tcp(route: Traversal) -> bool:
    """Questions by TCP to the cluster's DNS that nobody answers."""
    return route.reach and route.tcp and cluster_dns(route)


def dns_service_silent(route: Traversal) -> bool:
    """Questions through the DNS Service that nobody answers."""
    return cluster_dns_silent(route) and route.path is not Path.DNS_POD


def speed_of_dns(route: Traversal) -> bool:
    """Whether slow answers of DNS servers are what counts as bad."""
    return speed(route) and dns(route)


def virtual(route: Traversal) -> bool:
    """Whether trials on that route reach their target through a virtual address and get no answer."""
    return dns_service_silent(route) or (route.reach and to_plain_target(route, VIRTUAL_PATHS))


def upstream(route: Traversal) -> bool:
    """Look-ups of names outside of the cluster, and questions for them to the cluster's DNS."""
    return (outside(route) and route.question in _ASKED) or _resolves_outside(route)


def upstream_gone(route: Traversal) -> bool:
    """The same where the cluster's DNS answers, and wrongly: SERVFAIL where it gets no answer itself."""
    return (outside(route) and route.question is Aspect.ANSWER) or _resolves_outside(route)


def outside(route: Traversal) -> bool:
    """Whether trials on that route ask the cluster's DNS about names outside."""
    return route.path is Path.DNS_UPSTREAM and bool(route.target.behind)


def _resolves_outside(route: Traversal) -> bool:
    return route.question is Aspect.RESOLVE and route.path in OUTSIDE_PATHS
