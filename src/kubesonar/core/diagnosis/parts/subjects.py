"""Finds which parts of a kind a trial crosses: each function returns their subjects, as findings write them ("node-3",
"node-1>node-2")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kubesonar.core.diagnosis.parts.traversal import (
    EITHER,
    Aspect,
    End,
    Legs,
    Traversal,
    leaves_for_a_node,
    stays_on_node,
)
from kubesonar.model import Path

Subjects = Iterable[str]
"""Parts of one kind, by how findings write them."""


def pair(route: Traversal) -> Subjects:
    """Both directions between two nodes, as far as packets went; to a plain target, or a server behind a Service of
    which nobody knows where it runs, only the way there and back."""
    if route.target.behind or route.question is Aspect.RESOLVE:
        return {way for legs in route.ways for way in node_pairs(legs if legs[0][1].node else legs[:1])}
    itself = () if route.between_members else (f"{route.source.place}>{route.target.place}",)
    return (*itself, *(node_pairs(route.legs) if route.target.node else ()))


def way_there(route: Traversal) -> Subjects:
    """The way to the target, which alone big packets go."""
    return (f"{route.source.place}>{route.target.place}",)


def node_pairs(legs: Legs) -> list[str]:
    """Return each leg that leaves its node, as "node-1>node-2"."""
    away = [(a.node or a.name, b.node or b.name) for a, b in legs if a.name and b.name and not stays_on_node((a, b))]
    return [f"{start}>{end}" for start, end in away]


def nodes(route: Traversal) -> Subjects:
    """The nodes at either end, and those of servers behind a Service."""
    return {end.node for leg in _links(route) for end in leg if end.node}


def nodes_asked(route: Traversal) -> Subjects:
    """Return the nodes that a question comes to: of a Service those of the servers behind it."""
    return {end.node for start, end in _questions(route) if end.node}


def nodes_asking(route: Traversal) -> Subjects:
    """Return the node that a question leaves."""
    return {start.node for start, _ in _questions(route) if start.node}


def _questions(route: Traversal) -> Iterator[tuple[End, End]]:
    """Return the leg of the question on each way that it may have gone, unless that stays on a node."""
    return (legs[0] for legs in route.ways if not stays_on_node(legs[0]))


def all_nodes(route: Traversal) -> Subjects:
    """The subject of what all nodes share."""
    return ("all nodes",)


def between_nodes(route: Traversal) -> Subjects:
    """The subject of what all nodes share on their ways to each other, and not to what stands outside."""
    return ("all nodes",) if any(leaves_for_a_node(leg) for legs in route.ways for leg in legs) else ()


def senders(route: Traversal) -> Subjects:
    """The nodes that packets left."""
    return {start.node for start, _ in _links(route) if start.node}


def receivers(route: Traversal) -> Subjects:
    """The nodes that packets came to."""
    return {end.node for _, end in _links(route) if end.node}


def _links(route: Traversal) -> Iterator[tuple[End, End]]:
    """The legs that packets may have gone over links of nodes."""
    return (leg for legs in route.ways for leg in legs if not stays_on_node(leg))


def pod_nodes(route: Traversal) -> Subjects:
    """The nodes whose pod networks are crossed."""
    return {end.node for legs in route.ways for leg in legs for end in leg if end.in_pod_network}


def pod_senders(route: Traversal) -> Subjects:
    """The nodes whose pod networks packets left."""
    return {start.node for legs in route.ways for start, _ in legs if start.in_pod_network}


def pod_receivers(route: Traversal) -> Subjects:
    """The nodes whose pod networks packets came to."""
    return {end.node for legs in route.ways for _, end in legs if end.in_pod_network}


def zones(route: Traversal) -> Subjects:
    """The ways between two different zones."""
    return {way for legs in route.ways for way in zone_pairs(legs)}


def zone_pairs(legs: Legs) -> list[str]:
    """Return each leg from one zone to another, as "a>b"."""
    return [f"{a.zone}>{b.zone}" for a, b in legs if a.zone and b.zone and a.zone != b.zone]


def port(route: Traversal) -> Subjects:
    """The TCP port that was asked, from where and of whom."""
    return (f"{route.source.place}>{route.target.place} tcp/{route.port}",)


def by_family(subjects: Callable[[Traversal], Subjects]) -> Callable[[Traversal], Subjects]:
    """The same parts, each by its address family: "node-3 ipv6"."""
    return lambda route: [f"{subject} ipv{family}" for subject in subjects(route) for family in _families(route)]


def _families(route: Traversal) -> Iterable[int]:
    return (4, 6) if route.family == EITHER else (route.family,)


def target(route: Traversal) -> Subjects:
    """The target by its name."""
    return (route.target.name,)


def target_node(route: Traversal) -> Subjects:
    """The node of the target."""
    return (route.target.node,)


def servers(route: Traversal) -> Subjects:
    """A DNS server by its name: of a Service also those behind it."""
    itself = () if route.question is Aspect.RESOLVE or route.path is Path.DNS_UPSTREAM else (route.target.name,)
    return (*itself, *(server.name for server in route.target.behind))


def beyond_node(subjects: Callable[[Traversal], Subjects]) -> Callable[[Traversal], Subjects]:
    """The same parts, of what leaves the node that asks."""
    return lambda route: () if all(stays_on_node(leg) for legs in route.ways for leg in legs) else subjects(route)


def plain_target(route: Traversal) -> Subjects:
    """A plain target by its name, and those behind it; none where the target is a member."""
    return () if route.between_members else (route.target.name, *(server.name for server in route.target.behind))


def pair_either(route: Traversal) -> Subjects:
    """Two nodes, whichever way: a delay does not tell on which way it arose."""
    first, second = route.source.place, route.target.place
    if route.between_members and second < first:
        first, second = second, first
    return (f"{first}>{second}",)


def dns_service(route: Traversal) -> Subjects:
    """The cluster's DNS as a whole."""
    return ("dns-service",)


def dns_seen(route: Traversal) -> Subjects:
    """The cluster's DNS as the source's node sees it."""
    return (f"{route.source.node}>dns",)


def source_node(route: Traversal) -> Subjects:
    """The node that asks."""
    return (route.source.node,)


def dns_upstream(route: Traversal) -> Subjects:
    """The servers that the cluster's DNS asks for names outside."""
    return ("upstream",)


def zone_target(route: Traversal) -> Subjects:
    """A plain target as the source's zone sees it."""
    return (f"{route.source.zone}>{route.target.name}",) if route.source.zone else ()
