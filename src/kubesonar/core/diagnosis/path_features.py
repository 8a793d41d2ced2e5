"""Over what a trial goes: the features by which it is told which parts of the network it crosses."""

from __future__ import annotations

from collections.abc import Collection, Iterable
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
    """Do packets of the link's full size come through?"""


class End(msgspec.Struct, frozen=True):
    """One end of a path: a member, or a plain target, which has neither node, zone nor network."""

    name: str
    node: str = ""
    zone: str = ""
    network: Network | None = None

    @property
    def place(self) -> str:
        """What a person would call it on a path: its node, or a plain target's name."""
        return self.node or self.name


class Traversal(msgspec.Struct, frozen=True):
    """The features of a set of trials that cross the same parts. `tcp` is whether they go by TCP, `silent` whether the
    target's own view could not be read (only then may its agent be gone or frozen)."""

    source: End
    target: End
    kind: Kind
    path: Path
    way: Way
    question: Aspect
    port: int = 0
    tcp: bool = False
    silent: bool = False

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
        ends = (self.source.network, self.between_members)
        return (self.kind, self.path, self.way, self.question, self.tcp, self.silent, *ends)

    @property
    def reach(self) -> bool:
        """Whether silence is what counts as bad here."""
        return self.question is Aspect.REACH

    @property
    def between_members(self) -> bool:
        """Whether both ends are members."""
        return bool(self.target.node)


Subjects = Iterable[str]
"""Parts of one kind, by how findings write them."""


def pair(route: Traversal) -> Subjects:
    """Both directions between two nodes, as far as packets went; to a plain target only the way there and back."""
    if not route.between_members:
        return (f"{route.source.place}>{route.target.place}",)
    return [f"{start.place}>{end.place}" for start, end in route.legs]


def nodes(route: Traversal) -> Subjects:
    """The nodes at either end."""
    return {end.node for end in (route.source, route.target) if end.node}


def senders(route: Traversal) -> Subjects:
    """The nodes that packets left."""
    return {start.node for start, _ in route.legs if start.node}


def receivers(route: Traversal) -> Subjects:
    """The nodes that packets came to."""
    return {end.node for _, end in route.legs if end.node}


def zones(route: Traversal) -> Subjects:
    """The ways between two different zones."""
    return {f"{a.zone}>{b.zone}" for a, b in route.legs if a.zone and b.zone and a.zone != b.zone}


def port(route: Traversal) -> Subjects:
    """The TCP port that was asked, from where and of whom."""
    return (f"{route.source.place}>{route.target.place} tcp/{route.port}",)


def target(route: Traversal) -> Subjects:
    """The target by its name."""
    return (route.target.name,)


def target_node(route: Traversal) -> Subjects:
    """The node of the target."""
    return (route.target.node,)


def reach(route: Traversal) -> bool:
    """Whether silence is what counts as bad."""
    return route.reach


def reach_pod(route: Traversal) -> bool:
    """The same, of what goes through a pod network."""
    return reach(route) and route.source.network is Network.POD


def to_plain_target(route: Traversal, paths: Collection[Path]) -> bool:
    """Whether the target is no member and of one of these kinds."""
    return not route.between_members and route.path in paths


DNS_PATHS = (
    Path.DNS_POD,
    Path.DNS_SERVICE,
    Path.DNS_NODE_LOCAL,
    Path.DNS_UPSTREAM,
    Path.DNS_EXPOSED,
)
API_PATHS = (Path.API_DIRECT, Path.API_DNS)
EXTERNAL_PATHS = (Path.EXTERNAL, Path.SERVICE)


def dns(route: Traversal) -> bool:
    """Questions to DNS servers."""
    return route.kind is Kind.DNS and to_plain_target(route, DNS_PATHS)


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
    return silent_member(route) and gone(route)


def agent_frozen(route: Traversal) -> bool:
    """What a frozen process cannot do; its kernel still completes TCP handshakes and answers ICMP."""
    unanswered = route.reach and route.way is Way.ROUND and route.kind in (Kind.UDP, Kind.HTTP)
    return silent_member(route) and unanswered


def agent_frozen_long(route: Traversal) -> bool:
    """After some minutes the queue of connections that nobody accepts is full, and handshakes fail as well."""
    return agent_frozen(route) or (silent_member(route) and route.reach and route.tcp)


def through_process(route: Traversal) -> bool:
    """All but what the kernel answers for a process."""
    return silent_member(route) and route.kind is not Kind.ICMP
