"""Over what a trial goes: its two ends, which way its packets went, and what it asks."""

from __future__ import annotations

from enum import Enum

import msgspec

from kubesonar.model import Kind, Network, Path

OWN_SERVICE = "service"
"""The name of the agents' own Service as a target (core/probing/cluster_checks.py)."""


class Way(Enum):
    """The way that the packets of a trial went: towards the target, back from it, or both (a round trip)."""

    FORWARD = "forward"
    BACK = "back"
    ROUND = "round"


class Aspect(Enum):
    """The question of a trial. A refused connection answers REACH with yes and ANSWER with no."""

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
    READ = "read"
    """Does what it saw reach whoever reads it? Only ever answered with yes: that it does not may have other reasons."""


class End(msgspec.Struct, frozen=True):
    """One end of a path: a member, or a plain target, which has no network, and node and zone only where it is known
    where it runs. `behind` are the servers of which a Service asks one."""

    name: str
    node: str = ""
    zone: str = ""
    network: Network | None = None
    behind: tuple[End, ...] = ()

    @property
    def in_pod_network(self) -> bool:
        """Whether it is in a pod network: plain targets with a node are pods."""
        return bool(self.node) and self.network is not Network.HOST

    @property
    def place(self) -> str:
        """The name that a person would give it on a path: a member's node, or a plain target's name."""
        return self.node if self.network else self.name


Legs = tuple[tuple[End, End], ...]
"""The legs of packets, from where to where."""


EITHER = 46
"""The `family` of trials of which half went by IPv4 and half by IPv6."""


class Traversal(msgspec.Struct, frozen=True):
    """The features of a set of trials that cross the same parts. `tcp` is whether they go by TCP, `silent` whether the
    target's own view could not be read (only then may its agent be gone or frozen), `family` the address family (0
    where the mesh has only one, which says nothing; `EITHER` where half of the trials went by each), `large`
    whether a DNS server is asked for a large answer."""

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
    large: bool = False

    @property
    def legs(self) -> Legs:
        """The legs that packets went."""
        there, back = (self.source, self.target), (self.target, self.source)
        if self.way is Way.ROUND:
            return (there, back)
        return (there,) if self.way is Way.FORWARD else (back,)

    @property
    def ways(self) -> list[Legs]:
        """The ways that packets may have gone: to each of the servers behind a Service."""
        source = self.source
        if self.question is Aspect.RESOLVE and not self.target.behind:
            return [((source, End("")),)]
        return [((source, server), (server, source)) for server in self.target.behind] or [self.legs]

    @property
    def shape(self) -> tuple[object, ...]:
        """All but who its ends are."""
        ends = (self.source.network, self.target.network, bool(self.target.node), bool(self.target.behind))
        asked = (self.kind, self.path, self.way, self.question, self.tcp, self.large)
        return (*asked, self.silent, bool(self.family), *ends)

    @property
    def reach(self) -> bool:
        """Whether silence is what counts as bad here."""
        return self.question is Aspect.REACH

    @property
    def between_members(self) -> bool:
        """Whether both ends are members."""
        return self.target.network is not None


def stays_on_node(leg: tuple[End, End]) -> bool:
    """Whether it does not leave a node."""
    return bool(leg[0].node) and leg[0].node == leg[1].node


def leaves_for_a_node(leg: tuple[End, End]) -> bool:
    """Return whether it goes from one node to another."""
    return bool(leg[0].node and leg[1].node) and not stays_on_node(leg)
