"""Over what a trial goes: the features by which it is told which parts of the network it crosses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from enum import Enum

import msgspec

from kubesonar.model import Kind, Network, Path


class Way(Enum):
    """Which way the packets of a trial went: towards the target, back from it, or both (a round trip)."""

    FORWARD = "forward"
    BACK = "back"
    ROUND = "round"


class Aspect(Enum):
    """What a trial asks. A refused connection answers REACH with yes and ANSWER with no."""

    REACH = "reach"
    """Did anything come through?"""
    ANSWER = "answer"
    """Was what came back the right answer?"""
    SIZE = "size"
    """Do packets of the link's full size come through, where small ones do?"""
    SPEED = "speed"
    """Is it as fast as this path usually is?"""
    RESOLVE = "resolve"
    """Is a name looked up?"""
    ALIVE = "alive"
    """Does the process run? Only ever answered with yes, by what a peer's responder recorded of its trains."""


class End(msgspec.Struct, frozen=True):
    """One end of a path: a member, or a plain target, which has no network, and node and zone only where it is known
    where it runs. `behind` are the servers of which a Service asks one."""

    name: str
    node: str = ""
    zone: str = ""
    network: Network | None = None
    behind: tuple[End, ...] = ()

    @property
    def place(self) -> str:
        """What a person would call it on a path: a member's node, or a plain target's name."""
        return self.node if self.network else self.name


class Traversal(msgspec.Struct, frozen=True):
    """The features of a set of trials that cross the same parts. `tcp` is whether they go by TCP, `silent` whether the
    target's own view could not be read (only then may its agent be gone or frozen), `family` the address family (0
    where the mesh has only one, which says nothing)."""

    source: End
    target: End
    kind: Kind
    path: Path
    way: Way
    question: Aspect
    port: int = 0
    tcp: bool = False
    silent: bool = False
    family: int = 0

    @property
    def legs(self) -> tuple[tuple[End, End], ...]:
        """From where to where packets went."""
        there, back = (self.source, self.target), (self.target, self.source)
        if self.way is Way.ROUND:
            return (there, back)
        return (there,) if self.way is Way.FORWARD else (back,)

    @property
    def shape(self) -> tuple[object, ...]:
        """All but who its ends are."""
        ends = (self.source.network, self.target.network, bool(self.target.node), bool(self.target.behind))
        return (self.kind, self.path, self.way, self.question, self.tcp, self.silent, bool(self.family), *ends)

    @property
    def reach(self) -> bool:
        """Whether silence is what counts as bad here."""
        return self.question is Aspect.REACH

    @property
    def between_members(self) -> bool:
        """Whether both ends are members."""
        return self.target.network is not None


Legs = tuple[tuple[End, End], ...]
"""From where to where packets went, leg by leg."""

Subjects = Iterable[str]
"""Parts of one kind, by how findings write them."""


def pair(route: Traversal) -> Subjects:
    """Both directions between two nodes, as far as packets went; to a plain target only the way there and back."""
    if route.target.behind or route.question is Aspect.RESOLVE:
        return {way for legs in _ways(route) for way in _between(legs)}
    itself = () if route.between_members else (f"{route.source.place}>{route.target.place}",)
    return (*itself, *(_between(route.legs) if route.target.node else ()))


def way_there(route: Traversal) -> Subjects:
    """The way to the target, which alone big packets go."""
    return (f"{route.source.place}>{route.target.place}",)


def part_of_pair(route: Traversal, subject: str) -> float:
    """The share of trials on that route that go between those two nodes."""
    return _share(subject in _between(legs) for legs in _ways(route)) if route.target.behind else 1.0


def _between(legs: Legs) -> list[str]:
    away = [(a.node or a.name, b.node or b.name) for a, b in legs if a.name and b.name and not _at_home((a, b))]
    return [f"{start}>{end}" for start, end in away]


def _at_home(leg: tuple[End, End]) -> bool:
    """Whether it does not leave a node."""
    return bool(leg[0].node) and leg[0].node == leg[1].node


def _links(route: Traversal) -> Iterator[tuple[End, End]]:
    """The legs that packets may have gone over links of nodes."""
    return (leg for legs in _ways(route) for leg in legs if not _at_home(leg))


def _ways(route: Traversal) -> list[Legs]:
    """The ways that packets may have gone: to each of the servers behind a Service."""
    source = route.source
    if route.question is Aspect.RESOLVE and not route.target.behind:
        return [((source, End("")),)]
    return [((source, server), (server, source)) for server in route.target.behind] or [route.legs]


def _share(crossing: Iterable[bool]) -> float:
    found = list(crossing)
    return sum(found) / len(found)


def nodes(route: Traversal) -> Subjects:
    """The nodes at either end, and those of servers behind a Service."""
    return {end.node for leg in _links(route) for end in leg if end.node}


def all_nodes(route: Traversal) -> Subjects:
    """What all nodes share."""
    return ("all nodes",)


def senders(route: Traversal) -> Subjects:
    """The nodes that packets left."""
    return {start.node for start, _ in _links(route) if start.node}


def receivers(route: Traversal) -> Subjects:
    """The nodes that packets came to."""
    return {end.node for _, end in _links(route) if end.node}


def pod_nodes(route: Traversal) -> Subjects:
    """The nodes whose pod networks are crossed."""
    return {end.node for legs in _ways(route) for leg in legs for end in leg if _in_pod_network(end)}


def pod_senders(route: Traversal) -> Subjects:
    """Those whose pod networks packets left."""
    return {start.node for legs in _ways(route) for start, _ in legs if _in_pod_network(start)}


def pod_receivers(route: Traversal) -> Subjects:
    """Those whose pod networks packets came to."""
    return {end.node for legs in _ways(route) for _, end in legs if _in_pod_network(end)}


def _in_pod_network(end: End) -> bool:
    """Whether it is in a pod network: plain targets with a node are pods."""
    return bool(end.node) and end.network is not Network.HOST


def part_of_node(route: Traversal, node: str) -> float:
    """The share of trials on that route that cross that node: all, or those that a server there gets."""
    if not route.target.behind:
        return 1.0
    return _share(any(node in (a.node, b.node) and not _at_home((a, b)) for a, b in legs) for legs in _ways(route))


def sides(route: Traversal, node: str) -> tuple[bool, bool]:
    """Whether packets on that route enter that node, and whether they leave it."""
    legs = [leg for way in _ways(route) for leg in way]
    return any(end.node == node for _, end in legs), any(start.node == node for start, _ in legs)


def zones(route: Traversal) -> Subjects:
    """The ways between two different zones."""
    return {way for legs in _ways(route) for way in _between_zones(legs)}


def part_of_pod_network(route: Traversal, node: str) -> float:
    """The share of trials on that route that cross the pod network of that node."""
    if not route.target.behind:
        return 1.0
    ends = ([end for leg in legs for end in leg] for legs in _ways(route))
    return _share(any(end.node == node and _in_pod_network(end) for end in found) for found in ends)


def part_of_family(route: Traversal, subject: str) -> float:
    """The same of the packets of one family, or of what goes between two nodes in it."""
    place = subject.partition(" ")[0]
    return part_of_pair(route, place) if ">" in place else part_of_node(route, place)


def part_of_zones(route: Traversal, subject: str) -> float:
    """The share of trials on that route that go from that zone to that one."""
    return _share(subject in _between_zones(legs) for legs in _ways(route)) if route.target.behind else 1.0


def _between_zones(legs: Legs) -> list[str]:
    return [f"{a.zone}>{b.zone}" for a, b in legs if a.zone and b.zone and a.zone != b.zone]


def port(route: Traversal) -> Subjects:
    """The TCP port that was asked, from where and of whom."""
    return (f"{route.source.place}>{route.target.place} tcp/{route.port}",)


def by_family(subjects: Callable[[Traversal], Subjects]) -> Callable[[Traversal], Subjects]:
    """The same parts, each by its address family: "node-3 ipv6"."""
    return lambda route: [f"{subject} ipv{route.family}" for subject in subjects(route)]


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


def server_share(route: Traversal, subject: str) -> float:
    """The share of trials on that route that a server gets: of a Service one of those behind it."""
    return 1.0 if subject == route.target.name else 1 / len(route.target.behind)


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


def zone_target(route: Traversal) -> Subjects:
    """A plain target as the source's zone sees it."""
    return (f"{route.source.zone}>{route.target.name}",) if route.source.zone else ()


def reach(route: Traversal) -> bool:
    """Whether silence is what counts as bad."""
    return route.reach


def passes(route: Traversal) -> bool:
    """Whether packets that are lost make it bad: of any size, or only so many that no big one passes."""
    return route.question in _LOSSY


_LOSSY = frozenset({Aspect.REACH, Aspect.SIZE, Aspect.RESOLVE})


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


def speed_of_dns(route: Traversal) -> bool:
    """Whether slow answers of DNS servers are what counts as bad."""
    return speed(route) and dns(route)


def to_plain_target(route: Traversal, paths: Collection[Path]) -> bool:
    """Whether the target is no member and of one of these kinds."""
    return not route.between_members and route.path in paths


OWN_SERVICE = "service"
"""The name of the agents' own Service as a target (core/probing/cluster_checks.py)."""

CLUSTER_DNS_PATHS = (Path.DNS_POD, Path.DNS_SERVICE)
DNS_PATHS = (*CLUSTER_DNS_PATHS, Path.DNS_NODE_LOCAL, Path.DNS_EXPOSED)
API_PATHS = (Path.API_DIRECT, Path.API_DNS)
VIRTUAL_PATHS = (Path.DNS_SERVICE, Path.SERVICE, *API_PATHS)
"""What goes through virtual addresses, which every node translates for itself."""

OUTSIDE_PATHS = (Path.EXTERNAL, Path.INGRESS)
"""What has names outside of the cluster."""


def dns(route: Traversal) -> bool:
    """Questions to DNS servers."""
    return (route.kind is Kind.DNS and to_plain_target(route, DNS_PATHS)) or cluster_dns(route)


def cluster_dns(route: Traversal) -> bool:
    """Questions to the servers of the cluster's DNS: also for names outside, where it is they that are asked."""
    if route.kind is not Kind.DNS or route.question is Aspect.RESOLVE:
        return False
    outside = route.path is Path.DNS_UPSTREAM and bool(route.target.behind)
    return outside or to_plain_target(route, CLUSTER_DNS_PATHS)


def dns_udp(route: Traversal) -> bool:
    """Questions by UDP that nobody answers."""
    return route.question is Aspect.RESOLVE or (route.reach and not route.tcp and dns(route))


def dns_tcp(route: Traversal) -> bool:
    """Questions by TCP that nobody answers."""
    return route.reach and route.tcp and dns(route)


def dns_tcp_refused(route: Traversal) -> bool:
    """Questions by TCP that are refused or answered wrongly."""
    return route.question is Aspect.ANSWER and route.tcp and dns(route)


def dns_silent(route: Traversal) -> bool:
    """Questions that nobody answers."""
    return route.question is Aspect.RESOLVE or (route.reach and dns(route))


def dns_gone(route: Traversal) -> bool:
    """What a DNS server that is gone, or answers wrongly, fails in."""
    return route.question is Aspect.RESOLVE or (gone(route) and dns(route))


def cluster_dns_silent(route: Traversal) -> bool:
    """Questions to the cluster's DNS that nobody answers."""
    return route.question is Aspect.RESOLVE or (route.reach and cluster_dns(route))


def cluster_dns_gone(route: Traversal) -> bool:
    """What the cluster's DNS fails in where its servers are gone, or answer wrongly."""
    return route.question is Aspect.RESOLVE or (gone(route) and cluster_dns(route))


def cluster_dns_udp(route: Traversal) -> bool:
    """Questions by UDP to the cluster's DNS that nobody answers."""
    return cluster_dns_silent(route) and not route.tcp


def cluster_dns_tcp(route: Traversal) -> bool:
    """Questions by TCP to the cluster's DNS that nobody answers."""
    return route.reach and route.tcp and cluster_dns(route)


def dns_service_silent(route: Traversal) -> bool:
    """Questions through the DNS Service that nobody answers."""
    return cluster_dns_silent(route) and route.path is not Path.DNS_POD


def virtual(route: Traversal) -> bool:
    """What reaches its target through a virtual address and gets no answer."""
    return dns_service_silent(route) or (route.reach and to_plain_target(route, VIRTUAL_PATHS))


def upstream(route: Traversal) -> bool:
    """Look-ups of names outside of the cluster, and questions for them to the cluster's DNS."""
    asked = route.path is Path.DNS_UPSTREAM and bool(route.target.behind) and route.question in _ASKED
    return asked or (route.question is Aspect.RESOLVE and route.path in OUTSIDE_PATHS)


_ASKED = (Aspect.REACH, Aspect.ANSWER)


def dns_upstream(route: Traversal) -> Subjects:
    """The servers that the cluster's DNS asks for names outside."""
    return ("upstream",)


def plain(route: Traversal) -> bool:
    """What a plain target does not answer."""
    return route.reach and not route.between_members


def gone(route: Traversal) -> bool:
    """What a process that is gone cannot do: accept, and answer datagrams. Datagrams may be refused or just vanish,
    because kernels limit how many ICMP errors they send (net.ipv4.icmp_ratelimit)."""
    datagram = not route.tcp and route.kind in (Kind.UDP, Kind.DNS) and route.way is Way.ROUND
    return route.question is Aspect.ANSWER or (route.reach and datagram)


def silent_member(route: Traversal) -> bool:
    """Whether the target is a member whose own view could not be read."""
    return route.between_members and route.silent


def agent_gone(route: Traversal) -> bool:
    """What an agent that is gone cannot do."""
    return silent_member(route) and (gone(route) or route.question is Aspect.ALIVE)


def agent_frozen(route: Traversal) -> bool:
    """What a frozen process cannot do; its kernel still completes TCP handshakes and answers ICMP."""
    unanswered = route.reach and route.way is Way.ROUND and route.kind in (Kind.UDP, Kind.HTTP)
    return silent_member(route) and (unanswered or route.question is Aspect.ALIVE)


def agent_frozen_long(route: Traversal) -> bool:
    """After some minutes the queue of connections that nobody accepts is full, and handshakes fail as well."""
    return agent_frozen(route) or (silent_member(route) and route.reach and route.tcp)


def through_process(route: Traversal) -> bool:
    """All but what the kernel answers for a process."""
    return silent_member(route) and route.kind is not Kind.ICMP
