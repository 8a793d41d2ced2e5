"""The parts of the network that can be sick: one table, read by diagnosis, by the lab's faults and by the docs.

A row says which subjects of its kind ("node-3", "node-1>node-2") a trial crosses, how improbable a fault of that part
is beforehand, and the sentences that tell a person. Adding a part is adding a row.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kubesonar.core.diagnosis import path_features
from kubesonar.core.diagnosis.path_features import Aspect, End, Subjects, Traversal, Way
from kubesonar.model import Kind, Network, Path

__all__ = ["NAMES", "PARTS", "Aspect", "End", "Part", "Traversal", "Way", "crossed", "part"]


class Part(msgspec.Struct, frozen=True):
    """A row. `penalty` is -log of the prior probability that one given subject is sick, in nats. `fault` is the fault
    in one word. `when` says which routes cross this kind of part (from their shape only), `subjects` which ones of it
    they cross. `total` is the sentence when nothing gets through, `partial` when something does; `variant` tells rows
    of one name apart (the same part, seen in another way)."""

    name: str
    noun: str
    penalty: float
    when: Callable[[Traversal], bool]
    subjects: Callable[[Traversal], Subjects]
    total: str
    partial: str = ""
    variant: str = ""
    fault: str = "loss"
    least: float = 0.0
    """The least rate at which it is told: what depends on size alone hits all big packets, or it is mere loss."""
    both: bool = False
    """Whether it stands for both directions, so that a round trip crosses it twice."""
    hides: Callable[[Traversal], bool] | None = None
    """Which trials of these subjects say nothing of their own once this part is known to be sick."""

    def hidden(self, route: Traversal, subject: str) -> bool:
        """Whether this part being sick leaves trials on that route without meaning."""
        return self.hides is not None and self.hides(route) and subject in self.subjects(route)


_MOST_BIG_ONES = 0.8

PARTS: tuple[Part, ...] = (
    Part(
        "node",
        "a node's link, both ways",
        4.0,
        path_features.reach,
        path_features.nodes,
        "{subject} is cut off: nothing gets in or out since {since}; {agree}",
        "{subject} loses {loss} of the packets in and out since {since}; {agree}",
        fault="cut",
        both=True,
    ),
    Part(
        "node_in",
        "the way into a node",
        5.0,
        path_features.reach,
        path_features.receivers,
        "{subject} receives nothing from anyone since {since}; {agree}",
        "{subject} loses {loss} of the packets sent to it since {since}; {agree}",
    ),
    Part(
        "node_out",
        "the way out of a node",
        5.0,
        path_features.reach,
        path_features.senders,
        "nothing that {subject} sends arrives anywhere since {since}; {agree}",
        "{subject} loses {loss} of the packets it sends since {since}; {agree}",
    ),
    Part(
        "pod_network",
        "a node's pod network",
        4.5,
        path_features.reach_pod,
        path_features.nodes,
        "the pod network of {subject} is cut off since {since}, its host answers; {agree}",
        "the pod network of {subject} loses {loss} of its packets since {since}; {agree}",
        fault="cut",
        both=True,
    ),
    Part(
        "pod_network_in",
        "the way into a node's pod network",
        5.5,
        path_features.reach_pod,
        path_features.receivers,
        "the pod network of {subject} receives nothing from anyone since {since}; {agree}",
        "the pod network of {subject} loses {loss} of the packets sent to it since {since}; {agree}",
    ),
    Part(
        "pod_network_out",
        "the way out of a node's pod network",
        5.5,
        path_features.reach_pod,
        path_features.senders,
        "nothing that the pod network of {subject} sends arrives anywhere since {since}; {agree}",
        "the pod network of {subject} loses {loss} of the packets it sends since {since}; {agree}",
    ),
    Part(
        "zone_pair",
        "the way from one zone to another",
        5.5,
        path_features.reach,
        path_features.zones,
        "nothing gets from zone {a} to zone {b} since {since}; {agree}",
        "zone {a} > zone {b} loses {loss} of packets since {since}; {agree}",
    ),
    Part(
        "pair",
        "the way from one node to another",
        6.0,
        path_features.reach,
        path_features.pair,
        "nothing gets from {a} to {b} since {since}{back}",
        "{a} > {b} loses {loss} of packets since {since}",
    ),
    Part(
        "pair",
        "the way from one node to another",
        9.0,
        path_features.reach_pod,
        path_features.pair,
        "nothing gets from {a} to {b} in the pod network since {since}; the host network is well",
        "{a} > {b} loses {loss} of packets in the pod network since {since}",
        variant="pod",
    ),
    Part(
        "pair_udp",
        "UDP from one node to another",
        10.0,
        lambda route: route.reach and not route.tcp and route.kind is not Kind.ICMP,
        path_features.pair,
        "no UDP gets from {a} to {b} since {since}; TCP and ICMP are well",
        "{a} > {b} loses {loss} of UDP packets since {since}; TCP and ICMP are well",
    ),
    Part(
        "pair_port",
        "one TCP port from one node to another",
        9.0,
        lambda route: route.reach and route.tcp,
        path_features.port,
        "{a} gets no answer from {b} on {port} since {since}",
        "{a} often gets no answer from {b} on {port} since {since}",
    ),
    Part(
        "pair_port",
        "one TCP port from one node to another",
        5.5,  # below the pair's: of a plain target that is asked on one port no more than that was seen
        lambda route: route.reach and route.tcp and not route.between_members and route.kind is not Kind.DNS,
        path_features.port,
        "{a} gets no answer from {b} on {port} since {since}",
        "{a} often gets no answer from {b} on {port} since {since}",
        variant="plain",
    ),
    Part(
        "pair_port",
        "one TCP port from one node to another",
        9.0,
        lambda route: route.question is Aspect.ANSWER and route.tcp,
        path_features.port,
        "{a} is refused by {b} on {port} since {since}",
        "{a} is often refused by {b} on {port} since {since}",
        variant="refused",
        fault="refused",
    ),
    Part(
        "pair_mtu",
        "big packets from one node to another",
        5.0,
        lambda route: route.question is Aspect.SIZE,
        path_features.pair,
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
                route.question is Aspect.SIZE and route.source.network is network
            ),
            path_features.pair,
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
        path_features.nodes,
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
            hides=path_features.through_process,
        )
        for name, how, penalty, cannot, variant in (
            ("agent_gone", "gone", 4.0, path_features.agent_gone, ""),
            ("agent_frozen", "frozen", 4.5, path_features.agent_frozen, ""),
            ("agent_frozen", "frozen", 5.5, path_features.agent_frozen_long, "backlog"),
        )
        for scope, extra, subject in (("", 0.0, path_features.target), ("node", 1.0, path_features.target_node))
    ),
    Part(
        "dns_udp",
        "a DNS server by UDP",
        5.0,
        lambda route: route.reach and not route.tcp and path_features.dns(route),
        path_features.target,
        "{subject} is deaf by UDP and answers by TCP since {since}; {agree}",
        "{subject} answers only some questions by UDP since {since}, TCP is well; {agree}",
        fault="deaf",
    ),
    Part(
        "dns_tcp",
        "a DNS server by TCP",
        5.0,
        lambda route: route.reach and route.tcp and path_features.dns(route),
        path_features.target,
        "{subject} is deaf by TCP and answers by UDP since {since}; {agree}",
        "{subject} answers only some questions by TCP since {since}, UDP is well; {agree}",
        fault="deaf",
    ),
    Part(
        "dns_tcp",
        "a DNS server by TCP",
        5.0,
        lambda route: route.question is Aspect.ANSWER and route.tcp and path_features.dns(route),
        path_features.target,
        "{subject} refuses TCP and answers by UDP since {since}; {agree}",
        "{subject} often fails by TCP since {since}, UDP is well; {agree}",
        variant="refused",
        fault="refused",
    ),
    Part(
        "dns_server",
        "a DNS server",
        4.0,
        lambda route: route.reach and path_features.dns(route),
        path_features.target,
        "{subject} answers nobody since {since}, neither by UDP nor by TCP; {agree}",
        "{subject} answers only some questions since {since}; {agree}",
        fault="silent",
    ),
    Part(
        "dns_server",
        "a DNS server",
        4.5,
        lambda route: path_features.gone(route) and path_features.dns(route),
        path_features.target,
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
                route.question is question
                and route.kind is not Kind.DNS
                and path_features.to_plain_target(route, paths)
            ),
            path_features.target,
            f"{what} {{subject}} {verb} since {{since}}; {{agree}}",
            f"{what} {{subject}} {verb} at times since {{since}}; {{agree}}",
            variant=variant,
            fault=fault,
        )
        for name, noun, what, paths in (
            ("api_server", "the API server", "the API server", path_features.API_PATHS),
            ("ingress", "the ingress", "the ingress", (Path.INGRESS,)),
            ("external", "a target outside or a Service", "the target", path_features.EXTERNAL_PATHS),
        )
        for question, verb, variant, fault in (
            (Aspect.REACH, "does not answer", "", "silent"),
            (Aspect.ANSWER, "refuses or answers wrongly", "refused", "refused"),
        )
    ),
    Part(
        "observer",
        "an agent that cannot measure",
        4.0,
        lambda route: False,
        path_features.nodes,
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


def crossed(route: Traversal) -> list[tuple[int, str]]:
    """All that trials on this route cross, as (index of the row in `PARTS`, subject)."""
    shape = route.shape
    rows = _BY_SHAPE.get(shape)
    if rows is None:
        rows = _BY_SHAPE[shape] = [(index, row.subjects) for index, row in enumerate(PARTS) if row.when(route)]
    return [(index, subject) for index, subjects in rows for subject in subjects(route)]


_BY_SHAPE: dict[tuple[object, ...], list[tuple[int, Callable[[Traversal], Subjects]]]] = {}
"""Rows by shape: a cache, as large as there are shapes."""
