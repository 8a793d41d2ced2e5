"""The share of the trials on a route that cross one subject: of a Service each server gets a part of the requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kubesonar.core.diagnosis.parts.subjects import node_pairs, zone_pairs
from kubesonar.core.diagnosis.parts.traversal import EITHER, Traversal, leaves_for_a_node, stays_on_node

Shares = tuple[float, ...]
"""The shares of the trials on a route that cross a subject: of those to each server behind a Service, else of all."""

Share = Callable[[Traversal, str], Shares]
"""Says which shares of the trials on a route cross a subject."""

MOST_SERVERS = 8
"""Servers behind a Service up to which each counts as crossed. Fewer, and a sick DNS server is not told from its
Service; more, and each is crossed by so few trials that they tell nothing of it."""


def mean_share(shares: Shares) -> float:
    """Return the share of all trials: a Service leads to each of its servers as often."""
    return sum(shares) / len(shares)


def part_of_pair(route: Traversal, subject: str) -> Shares:
    """The share of trials on that route that go between those two nodes."""
    return _shares(subject in node_pairs(legs) for legs in route.ways) if route.target.behind else _all(route)


def part_between_nodes(route: Traversal, subject: str) -> Shares:
    """The share of trials on that route that go from one node to another."""
    return _shares(any(leaves_for_a_node(leg) for leg in legs) for legs in route.ways)


def part_of_node(route: Traversal, node: str) -> Shares:
    """The share of trials on that route that cross that node: all, or those that a server there gets."""
    if not route.target.behind:
        return _all(route)
    return _shares(any(node in (a.node, b.node) and not stays_on_node((a, b)) for a, b in legs) for legs in route.ways)


def sides(route: Traversal, node: str) -> tuple[bool, bool]:
    """Whether packets on that route enter that node, and whether they leave it."""
    legs = [leg for way in route.ways for leg in way]
    return any(end.node == node for _, end in legs), any(start.node == node for start, _ in legs)


def part_of_pod_network(route: Traversal, node: str) -> Shares:
    """The share of trials on that route that cross the pod network of that node."""
    if not route.target.behind:
        return _all(route)
    ends = ([end for leg in legs for end in leg] for legs in route.ways)
    return _shares(any(end.node == node and end.in_pod_network for end in found) for found in ends)


def part_of_family(route: Traversal, subject: str) -> Shares:
    """The same of the packets of one family, or of what goes between two nodes in it."""
    place = subject.partition(" ")[0]
    shares = part_of_pair(route, place) if ">" in place else part_of_node(route, place)
    return tuple([each / 2 for each in shares]) if route.family == EITHER else shares


def part_of_zones(route: Traversal, subject: str) -> Shares:
    """The share of trials on that route that go from that zone to that one."""
    return _shares(subject in zone_pairs(legs) for legs in route.ways) if route.target.behind else _all(route)


def part_off_node(route: Traversal, subject: str) -> Shares:
    """The share of trials on that route that leave the source's node, or a pod: a process in the host network and a
    server on its node talk to each other without either."""
    return _all(route) if route.source.in_pod_network else part_beyond_node(route, subject)


def part_beyond_node(route: Traversal, subject: str) -> Shares:
    """The share of trials on that route that leave the node that asks."""
    return _shares(any(not stays_on_node(leg) for leg in legs) for legs in route.ways)


def server_share_beyond(route: Traversal, subject: str) -> Shares:
    """The share of trials on that route that a server gets on another node than the one that asks."""
    if subject == route.target.name:
        return part_beyond_node(route, subject)
    return _shares(server.name == subject and not stays_on_node((source, server)) for (source, server), _ in route.ways)


def server_share(route: Traversal, subject: str) -> Shares:
    """The share of trials on that route that a server gets: of a Service one of those behind it."""
    if subject == route.target.name:
        return _all(route)
    return _shares(subject == server.name for server in route.target.behind)


def part_of_agents(route: Traversal, subject: str) -> Shares:
    """The share of trials on that route that a member gets, or those of a node: of their Service one of those behind
    it."""
    if not route.target.behind:
        return _all(route)
    return _shares(subject in (server.name, server.node) for server in route.target.behind)


def _all(route: Traversal) -> Shares:
    return (1.0,) * (len(route.target.behind) or 1)


def _shares(crossing: Iterable[bool]) -> Shares:
    return tuple([1.0 if crosses else 0.0 for crosses in crossing])
