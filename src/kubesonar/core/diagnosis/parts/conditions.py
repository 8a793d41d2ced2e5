"""Decides which trials cross a kind of part at all, judged by the shape of their route and by what they ask."""

from __future__ import annotations

from collections.abc import Collection

from kubesonar.core.diagnosis.parts.subjects import pod_nodes
from kubesonar.core.diagnosis.parts.traversal import Aspect, Traversal, Way
from kubesonar.model import Kind, Network, Path


def passes(route: Traversal) -> bool:
    """Whether packets that are lost make it bad: of any size, or only so many that no big one passes."""
    return route.question in _LOSSY


_LOSSY = frozenset({Aspect.REACH, Aspect.SIZE, Aspect.RESOLVE, Aspect.READ})


def begins_flow(route: Traversal) -> bool:
    """Return whether packets that are lost make a trial bad, and its first one begins a flow that no kernel on the way
    knows yet. Trains and checks of size begin none: they go on from the ports that they have."""
    return passes(route) and route.kind not in (Kind.UDP, Kind.MTU)


def passes_pod(route: Traversal) -> bool:
    """The same, of what goes through a pod network."""
    return passes(route) and any(pod_nodes(route))


def passes_way_pod(route: Traversal) -> bool:
    """The same of what goes between two ends in pod networks: a Service's servers are pods."""
    to_pod = route.path in (Path.POD, Path.DNS_POD) or bool(route.target.behind)
    return passes(route) and route.source.network is Network.POD and to_pod


def of_one_family(route: Traversal) -> bool:
    """Packets of one family where the mesh has two."""
    return passes(route) and bool(route.family)


def of_one_family_pod(route: Traversal) -> bool:
    """The same, of what goes through a pod network."""
    return passes(route) and any(pod_nodes(route)) and bool(route.family)


def big(route: Traversal) -> bool:
    """Whether big packets are what is asked about."""
    return route.question is Aspect.SIZE


def big_pod(route: Traversal) -> bool:
    """The same, of what goes through a pod network."""
    return big(route) and route.source.network is Network.POD


def big_host(route: Traversal) -> bool:
    """The same, of what goes through the host network."""
    return big(route) and route.source.network is Network.HOST


def speed(route: Traversal) -> bool:
    """Whether slowness is what counts as bad."""
    return route.question is Aspect.SPEED


API_PATHS = (Path.API_DIRECT, Path.API_DNS)


def to_plain_target(route: Traversal, paths: Collection[Path]) -> bool:
    """Whether the target is no member and of one of these kinds."""
    return not route.between_members and route.path in paths


def plain(route: Traversal) -> bool:
    """Whether a plain target that is sick fails trials on that route."""
    return route.reach and not route.between_members


def answers(route: Traversal) -> bool:
    """Whether a right answer is asked for, and not only something that comes back."""
    return route.question is Aspect.ANSWER


def gone(route: Traversal) -> bool:
    """Whether a process that is gone fails trials on that route: it accepts nothing and answers no datagrams. Datagrams
    may be refused or just vanish, because kernels limit how many ICMP errors they send (net.ipv4.icmp_ratelimit)."""
    datagram = not route.tcp and route.kind in (Kind.UDP, Kind.DNS) and route.way is Way.ROUND
    return answers(route) or (route.reach and datagram)


def silent_member(route: Traversal) -> bool:
    """Whether the target is a member whose own view could not be read."""
    return route.between_members and route.silent


def agent_gone(route: Traversal) -> bool:
    """Whether an agent that is gone fails trials on that route."""
    return silent_member(route) and (gone(route) or route.question is Aspect.ALIVE)


def agent_frozen(route: Traversal) -> bool:
    """Whether a frozen process fails trials on that route; its kernel still completes TCP handshakes and answers
    ICMP."""
    unanswered = route.reach and route.way is Way.ROUND and route.kind in (Kind.UDP, Kind.HTTP)
    return silent_member(route) and (unanswered or route.question is Aspect.ALIVE)


def agent_frozen_long(route: Traversal) -> bool:
    """Whether a process that has been frozen for minutes fails trials on that route: the queue of connections that
    nobody accepts is then full, and handshakes fail as well."""
    return agent_frozen(route) or (silent_member(route) and route.reach and route.tcp)


def refused_by_server(route: Traversal) -> bool:
    """Whether a server of the agents' own Service refuses trials on that route, when its process is gone."""
    return answers(route) and route.path is Path.SERVICE


def unanswered_by_server(route: Traversal) -> bool:
    """Whether a server of the agents' own Service answers no trials on that route, when its process is
    frozen."""
    return route.reach and route.path is Path.SERVICE


def through_process(route: Traversal) -> bool:
    """All but what the kernel answers for a process."""
    return silent_member(route) and route.kind is not Kind.ICMP
