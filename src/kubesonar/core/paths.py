"""The parts of the network that can be sick: one table, read by diagnosis, by the lab's faults and by the docs.

A row says which subjects of its kind ("node-3", "node-1>node-2") a trial crosses, how improbable a fault of that part
is beforehand, and the sentences that tell a person. Adding a part is adding a row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from enum import Enum

import msgspec

from kubesonar.model import Kind, Network, Path


class Way(Enum):
    """Which way the packets of a trial went: towards the target, back from it, or both (a round trip)."""

    FORWARD = "forward"
    BACK = "back"
    ROUND = "round"


class Question(Enum):
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


class Route(msgspec.Struct, frozen=True):
    """The features of a set of trials that cross the same parts. `tcp` is whether they go by TCP, `silent` whether the
    target's own view could not be read (only then may its agent be gone or frozen)."""

    source: End
    target: End
    kind: Kind
    path: Path
    way: Way
    question: Question
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
        return self.question is Question.REACH

    @property
    def between_members(self) -> bool:
        """Whether both ends are members."""
        return bool(self.target.node)


Subjects = Iterable[str]


class Part(msgspec.Struct, frozen=True):
    """A row. `penalty` is -log of the prior probability that one given subject is sick, in nats. `fault` is the fault
    in one word. `when` says which routes cross this kind of part (from their shape only), `subjects` which ones of it
    they cross. `total` is the sentence when nothing gets through, `partial` when something does; `variant` tells rows
    of one name apart (the same part, seen in another way)."""

    name: str
    noun: str
    penalty: float
    when: Callable[[Route], bool]
    subjects: Callable[[Route], Subjects]
    total: str
    partial: str = ""
    variant: str = ""
    fault: str = "loss"
    least: float = 0.0
    """The least rate at which it is told: what depends on size alone hits all big packets, or it is mere loss."""
    both: bool = False
    """Whether it stands for both directions, so that a round trip crosses it twice."""
    hides: Callable[[Route], bool] | None = None
    """Which trials of these subjects say nothing of their own once this part is known to be sick."""

    def hidden(self, route: Route, subject: str) -> bool:
        """Whether this part being sick leaves trials on that route without meaning."""
        return self.hides is not None and self.hides(route) and subject in self.subjects(route)


def _pair(route: Route) -> Subjects:
    if not route.between_members:
        return (f"{route.source.place}>{route.target.place}",)
    return [f"{start.place}>{end.place}" for start, end in route.legs]


def _nodes(route: Route) -> Subjects:
    return {end.node for end in (route.source, route.target) if end.node}


def _senders(route: Route) -> Subjects:
    return {start.node for start, _ in route.legs if start.node}


def _receivers(route: Route) -> Subjects:
    return {end.node for _, end in route.legs if end.node}


def _zones(route: Route) -> Subjects:
    return {f"{a.zone}>{b.zone}" for a, b in route.legs if a.zone and b.zone and a.zone != b.zone}


def _port(route: Route) -> Subjects:
    return (f"{route.source.place}>{route.target.place} tcp/{route.port}",)


def _target(route: Route) -> Subjects:
    return (route.target.name,)


def _target_node(route: Route) -> Subjects:
    return (route.target.node,)


def _reach(route: Route) -> bool:
    return route.question is Question.REACH


def _reach_pod(route: Route) -> bool:
    return _reach(route) and route.source.network is Network.POD


def _plain(route: Route, paths: Collection[Path]) -> bool:
    return not route.between_members and route.path in paths


_DNS = (
    Path.DNS_POD,
    Path.DNS_SERVICE,
    Path.DNS_NODE_LOCAL,
    Path.DNS_UPSTREAM,
    Path.DNS_EXPOSED,
)
_API = (Path.API_DIRECT, Path.API_DNS)
_EXTERNAL = (Path.EXTERNAL, Path.SERVICE)


def _dns(route: Route) -> bool:
    return route.kind is Kind.DNS and _plain(route, _DNS)


def _gone(route: Route) -> bool:
    """What a process that is gone cannot do: accept, and answer datagrams. Datagrams may be refused or just vanish,
    because kernels limit how many ICMP errors they send (net.ipv4.icmp_ratelimit)."""
    datagram = not route.tcp and route.kind in (Kind.UDP, Kind.DNS) and route.way is Way.ROUND
    return route.question is Question.ANSWER or (route.reach and datagram)


def _silent_member(route: Route) -> bool:
    return route.between_members and route.silent


def _agent_gone(route: Route) -> bool:
    return _silent_member(route) and _gone(route)


def _agent_frozen(route: Route) -> bool:
    """What a frozen process cannot do; its kernel still completes TCP handshakes and answers ICMP."""
    unanswered = route.reach and route.way is Way.ROUND and route.kind in (Kind.UDP, Kind.HTTP)
    return _silent_member(route) and unanswered


def _agent_frozen_long(route: Route) -> bool:
    """After some minutes the queue of connections that nobody accepts is full, and handshakes fail as well."""
    return _agent_frozen(route) or (_silent_member(route) and route.reach and route.tcp)


def _process(route: Route) -> bool:
    """All but what the kernel answers for a process."""
    return _silent_member(route) and route.kind is not Kind.ICMP


_MOST_BIG_ONES = 0.8

PARTS: tuple[Part, ...] = (
    Part(
        "node",
        "a node's link, both ways",
        4.0,
        _reach,
        _nodes,
        "{subject} is cut off: nothing gets in or out since {since}; {agree}",
        "{subject} loses {loss} of the packets in and out since {since}; {agree}",
        fault="cut",
        both=True,
    ),
    Part(
        "node_in",
        "the way into a node",
        5.0,
        _reach,
        _receivers,
        "{subject} receives nothing from anyone since {since}; {agree}",
        "{subject} loses {loss} of the packets sent to it since {since}; {agree}",
    ),
    Part(
        "node_out",
        "the way out of a node",
        5.0,
        _reach,
        _senders,
        "nothing that {subject} sends arrives anywhere since {since}; {agree}",
        "{subject} loses {loss} of the packets it sends since {since}; {agree}",
    ),
    Part(
        "pod_network",
        "a node's pod network",
        4.5,
        _reach_pod,
        _nodes,
        "the pod network of {subject} is cut off since {since}, its host answers; {agree}",
        "the pod network of {subject} loses {loss} of its packets since {since}; {agree}",
        fault="cut",
        both=True,
    ),
    Part(
        "pod_network_in",
        "the way into a node's pod network",
        5.5,
        _reach_pod,
        _receivers,
        "the pod network of {subject} receives nothing from anyone since {since}; {agree}",
        "the pod network of {subject} loses {loss} of the packets sent to it since {since}; {agree}",
    ),
    Part(
        "pod_network_out",
        "the way out of a node's pod network",
        5.5,
        _reach_pod,
        _senders,
        "nothing that the pod network of {subject} sends arrives anywhere since {since}; {agree}",
        "the pod network of {subject} loses {loss} of the packets it sends since {since}; {agree}",
    ),
    Part(
        "zone_pair",
        "the way from one zone to another",
        5.5,
        _reach,
        _zones,
        "nothing gets from zone {a} to zone {b} since {since}; {agree}",
        "zone {a} > zone {b} loses {loss} of packets since {since}; {agree}",
    ),
    Part(
        "pair",
        "the way from one node to another",
        6.0,
        _reach,
        _pair,
        "nothing gets from {a} to {b} since {since}{back}",
        "{a} > {b} loses {loss} of packets since {since}",
    ),
    Part(
        "pair",
        "the way from one node to another",
        9.0,
        _reach_pod,
        _pair,
        "nothing gets from {a} to {b} in the pod network since {since}; the host network is well",
        "{a} > {b} loses {loss} of packets in the pod network since {since}",
        variant="pod",
    ),
    Part(
        "pair_udp",
        "UDP from one node to another",
        10.0,
        lambda route: route.reach and not route.tcp and route.kind is not Kind.ICMP,
        _pair,
        "no UDP gets from {a} to {b} since {since}; TCP and ICMP are well",
        "{a} > {b} loses {loss} of UDP packets since {since}; TCP and ICMP are well",
    ),
    Part(
        "pair_port",
        "one TCP port from one node to another",
        9.0,
        lambda route: route.reach and route.tcp,
        _port,
        "{a} gets no answer from {b} on {port} since {since}",
        "{a} often gets no answer from {b} on {port} since {since}",
    ),
    Part(
        "pair_port",
        "one TCP port from one node to another",
        5.5,  # below the pair's: of a plain target that is asked on one port no more than that was seen
        lambda route: route.reach and route.tcp and not route.between_members and route.kind is not Kind.DNS,
        _port,
        "{a} gets no answer from {b} on {port} since {since}",
        "{a} often gets no answer from {b} on {port} since {since}",
        variant="plain",
    ),
    Part(
        "pair_port",
        "one TCP port from one node to another",
        9.0,
        lambda route: route.question is Question.ANSWER and route.tcp,
        _port,
        "{a} is refused by {b} on {port} since {since}",
        "{a} is often refused by {b} on {port} since {since}",
        variant="refused",
        fault="refused",
    ),
    Part(
        "pair_mtu",
        "big packets from one node to another",
        5.0,
        lambda route: route.question is Question.SIZE,
        _pair,
        "packets {above} {vanish} from {a} to {b} (smaller ones pass)",
        fault="mtu",
        least=_MOST_BIG_ONES,
    ),
    *(
        Part(
            "pair_mtu",
            "big packets from one node to another",
            8.0,
            lambda route, network=network: (  # type: ignore[misc]
                route.question is Question.SIZE and route.source.network is network
            ),
            _pair,
            f"packets {{above}} {{vanish}} from {{a}} to {{b}} in the {network} network only (smaller ones pass)",
            variant=network,
            fault="mtu",
            least=_MOST_BIG_ONES,
        )
        for network in (Network.POD, Network.HOST)
    ),
    Part(
        "link_rate",
        "the speed of a node's link",
        4.0,
        lambda route: False,
        _nodes,
        "the link of {subject} passes only about {rate}",
        fault="slow",
        hides=lambda route: True,
    ),
    *(
        Part(
            name,
            "a node's agent process",
            penalty + extra,
            cannot,
            subject,
            f"the {{noun}} on {{node}} {{be}} {how}, its host answers",
            variant=f"{variant}{scope}",
            fault=how,
            hides=_process,
        )
        for name, how, penalty, cannot, variant in (
            ("agent_gone", "gone", 4.0, _agent_gone, ""),
            ("agent_frozen", "frozen", 4.5, _agent_frozen, ""),
            ("agent_frozen", "frozen", 5.5, _agent_frozen_long, "backlog"),
        )
        for scope, extra, subject in (("", 0.0, _target), ("node", 1.0, _target_node))
    ),
    Part(
        "dns_udp",
        "a DNS server by UDP",
        5.0,
        lambda route: route.reach and not route.tcp and _dns(route),
        _target,
        "{subject} is deaf by UDP and answers by TCP since {since}; {agree}",
        "{subject} answers only some questions by UDP since {since}, TCP is well; {agree}",
        fault="deaf",
    ),
    Part(
        "dns_tcp",
        "a DNS server by TCP",
        5.0,
        lambda route: route.reach and route.tcp and _dns(route),
        _target,
        "{subject} is deaf by TCP and answers by UDP since {since}; {agree}",
        "{subject} answers only some questions by TCP since {since}, UDP is well; {agree}",
        fault="deaf",
    ),
    Part(
        "dns_tcp",
        "a DNS server by TCP",
        5.0,
        lambda route: route.question is Question.ANSWER and route.tcp and _dns(route),
        _target,
        "{subject} refuses TCP and answers by UDP since {since}; {agree}",
        "{subject} often fails by TCP since {since}, UDP is well; {agree}",
        variant="refused",
        fault="refused",
    ),
    Part(
        "dns_server",
        "a DNS server",
        4.0,
        lambda route: route.reach and _dns(route),
        _target,
        "{subject} answers nobody since {since}, neither by UDP nor by TCP; {agree}",
        "{subject} answers only some questions since {since}; {agree}",
        fault="silent",
    ),
    Part(
        "dns_server",
        "a DNS server",
        4.5,
        lambda route: _gone(route) and _dns(route),
        _target,
        "{subject} refuses or answers wrongly since {since}; {agree}",
        "{subject} refuses or answers wrongly at times since {since}; {agree}",
        variant="refused",
        fault="refused",
    ),
    *(
        Part(
            name,
            noun,
            4.0,
            lambda route, question=question, paths=paths: (  # type: ignore[misc]
                route.question is question and route.kind is not Kind.DNS and _plain(route, paths)
            ),
            _target,
            f"{what} {{subject}} {verb} since {{since}}; {{agree}}",
            f"{what} {{subject}} {verb} at times since {{since}}; {{agree}}",
            variant=variant,
            fault=fault,
        )
        for name, noun, what, paths in (
            ("api_server", "the API server", "the API server", _API),
            ("ingress", "the ingress", "the ingress", (Path.INGRESS,)),
            ("external", "a target outside or a Service", "the target", _EXTERNAL),
        )
        for question, verb, variant, fault in (
            (Question.REACH, "does not answer", "", "silent"),
            (Question.ANSWER, "refuses or answers wrongly", "refused", "refused"),
        )
    ),
    Part(
        "observer",
        "an agent that cannot measure",
        4.0,
        lambda route: False,
        _nodes,
        "{subject} could not measure {when}: {cause}",
        fault="starved",
    ),
)

NAMES: tuple[str, ...] = tuple(dict.fromkeys(part.name for part in PARTS))
"""The names of all parts, as findings, the lab's faults and metrics use them."""


def part(name: str, variant: str = "") -> Part:
    """The row of that name (KeyError where there is none)."""
    return _ROWS[name, variant]


_ROWS = {(row.name, row.variant): row for row in PARTS}


def crossed(route: Route) -> list[tuple[int, str]]:
    """All that trials on this route cross, as (index of the row in `PARTS`, subject)."""
    shape = route.shape
    rows = _BY_SHAPE.get(shape)
    if rows is None:
        rows = _BY_SHAPE[shape] = [(index, row.subjects) for index, row in enumerate(PARTS) if row.when(route)]
    return [(index, subject) for index, subjects in rows for subject in subjects(route)]


_BY_SHAPE: dict[tuple[object, ...], list[tuple[int, Callable[[Route], Subjects]]]] = {}
"""Rows by shape: a cache, as large as there are shapes."""
