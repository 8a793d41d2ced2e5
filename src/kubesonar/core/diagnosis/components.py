"""The parts of the network that can be sick: one table, read by diagnosis, by the lab's faults and by the docs.

A row says which subjects of its kind ("node-3", "node-1>node-2") a trial crosses, how improbable a fault of that part
is beforehand, and the sentences that tell a person. Adding a part is adding a row.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kubesonar.core.diagnosis import path_features
from kubesonar.core.diagnosis.path_features import Aspect, End, Subjects, Traversal, Way
from kubesonar.model import Kind, Path, Severity

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
    ways: tuple[str, str] | None = None
    """The rows that stand for the way in and the way out of the same part."""
    share: Callable[[Traversal, str], float] | None = None
    """The share of trials on a route that crosses this subject, where not all do."""
    common: bool = False
    """Whether all trials cross it, each at a place of its own."""
    whole: bool = False
    """Whether it fails whole requests, as servers do, and not single packets, of which kernels send some again."""
    seconds: int = 3
    """In how many different seconds it must have been bad, so that one burst is no fault."""
    age: float = 0.0
    """Seconds for which it must have lasted before it is told."""
    severity: Severity = Severity.WARNING
    """How far it reaches."""
    hides: Callable[[Traversal], bool] | None = None
    """Which trials of these subjects say nothing of their own once this part is known to be sick."""

    def hidden(self, route: Traversal, subject: str) -> bool:
        """Whether this part being sick leaves trials on that route without meaning."""
        return self.hides is not None and self.hides(route) and subject in self.subjects(route)


_MOST_BIG_ONES = 0.8

_USUAL_EVERYWHERE = 0.035
"""Loss on each way between nodes below which a network counts as well: 0.3 % in each of the parts that a packet crosses
come to nearly 2 %. Lower, and busy networks are findings for ever; higher, and a switch that loses 3 % is none."""

SLOW_AGE = 55.0
"""Seconds for which a path must have been slow before it is told; shorter, and a burst of traffic is a finding."""

STARVED = 20.0
"""Seconds without a turn up to which a process counts as starved, not as frozen: told sooner, every CPU limit would
make findings; later, a frozen one is told late."""

_SLOW_SHARES = {
    "node_slow": path_features.part_of_node,
    "zone_pair_slow": path_features.part_of_zones,
    "target_slow": path_features.server_share,
    "dns_slow": path_features.server_share,
}

PARTS: tuple[Part, ...] = (
    Part(
        "node",
        "a node's link, both ways",
        4.0,
        path_features.passes,
        path_features.nodes,
        "{subject} is {cut} since {since}{agree}",
        "{subject} loses {both} since {since}{agree}",
        fault="cut",
        both=True,
        ways=("node_in", "node_out"),
        share=path_features.part_of_node,
    ),
    Part(
        "node_in",
        "the way into a node",
        5.0,
        path_features.passes,
        path_features.receivers,
        "{subject} receives nothing from anyone since {since}{agree}",
        "{subject} loses {loss} of the packets sent to it since {since}{agree}",
        share=path_features.part_of_node,
    ),
    Part(
        "node_out",
        "the way out of a node",
        5.0,
        path_features.passes,
        path_features.senders,
        "nothing that {subject} sends arrives anywhere since {since}{agree}",
        "{subject} loses {loss} of the packets it sends since {since}{agree}",
        share=path_features.part_of_node,
    ),
    Part(
        "pod_network",
        "a node's pod network",
        4.5,
        path_features.passes_pod,
        path_features.pod_nodes,
        "the pod network of {subject} is cut off: nothing gets {gets} since {since}, its host answers{agree}",
        "the pod network of {subject} loses {both} since {since}{agree}",
        fault="cut",
        both=True,
        ways=("pod_network_in", "pod_network_out"),
        share=path_features.part_of_pod_network,
    ),
    Part(
        "pod_network_in",
        "the way into a node's pod network",
        5.5,
        path_features.passes_pod,
        path_features.pod_receivers,
        "the pod network of {subject} receives nothing from anyone since {since}{agree}",
        "the pod network of {subject} loses {loss} of the packets sent to it since {since}{agree}",
        share=path_features.part_of_pod_network,
    ),
    Part(
        "pod_network_out",
        "the way out of a node's pod network",
        5.5,
        path_features.passes_pod,
        path_features.pod_senders,
        "nothing that the pod network of {subject} sends arrives anywhere since {since}{agree}",
        "the pod network of {subject} loses {loss} of the packets it sends since {since}{agree}",
        share=path_features.part_of_pod_network,
    ),
    Part(
        "zone",
        "most nodes of a zone",
        4.0,
        lambda route: False,
        path_features.zones,
        "zone {subject} is down or cut off{since}: {which}",
        fault="cut",
        severity=Severity.CRITICAL,
    ),
    Part(
        "zone_pair",
        "the way from one zone to another",
        5.5,
        path_features.passes,
        path_features.zones,
        "nothing gets from zone {a} to zone {b} since {since}{agree}",
        "zone {a} > zone {b} loses {loss} of packets since {since}{agree}",
        severity=Severity.CRITICAL,
        share=path_features.part_of_zones,
    ),
    Part(
        "network",
        "the network between all nodes",
        6.5,  # below two nodes at once
        path_features.passes,
        path_features.all_nodes,
        "nothing gets from any node to another since {since}: look at what all nodes share",
        "all nodes lose {loss} of the packets between each other since {since}: look at what they share",
        severity=Severity.CRITICAL,
        least=_USUAL_EVERYWHERE,
        both=True,
        common=True,
    ),
    Part(
        "pair",
        "the way from one node to another",
        6.0,
        path_features.passes,
        path_features.pair,
        "nothing gets from {a} to {b} since {since}{back}",
        "{a} > {b} loses {loss} of packets since {since}",
        share=path_features.part_of_pair,
    ),
    Part(
        "pair",
        "the way from one node to another",
        9.0,
        path_features.passes_way_pod,
        path_features.pair,
        "nothing gets from {a} to {b} in the pod network since {since}; the host network is well",
        "{a} > {b} loses {loss} of packets in the pod network since {since}",
        variant="pod",
        share=path_features.part_of_pair,
    ),
    *(
        Part(
            name,
            f"one address family of {whose}",
            penalty,
            when,
            path_features.by_family(subjects),
            f"no {{ip}} packets get {where} since {{since}}; the other address family is well",
            f"{where_lossy} {{loss}} of the {{ip}} packets since {{since}}; the other address family is well",
            both=name != "pair_family",
            share=path_features.part_of_family,
        )
        for name, whose, penalty, when, subjects, where, where_lossy in (
            (
                "node_family",
                "a node",
                8.0,
                path_features.of_one_family,
                path_features.nodes,
                "in or out of {subject}",
                "{subject} loses",
            ),
            (
                "pod_network_family",
                "a node's pod network",
                8.5,
                path_features.of_one_family_pod,
                path_features.pod_nodes,
                "in or out of the pod network of {subject}",
                "the pod network of {subject} loses",
            ),
            (
                "pair_family",
                "the way from one node to another",
                10.0,
                path_features.of_one_family,
                path_features.pair,
                "from {a} to {b}",
                "{a} > {b} loses",
            ),
        )
    ),
    Part(
        "pair_udp",
        "UDP from one node to another",
        10.0,
        lambda route: path_features.passes(route) and not route.tcp and route.kind is not Kind.ICMP,
        path_features.pair,
        "no UDP gets from {a} to {b} since {since}; TCP and ICMP are well",
        "{a} > {b} loses {loss} of UDP packets since {since}; TCP and ICMP are well",
        share=path_features.part_of_pair,
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
    *(
        Part(
            name,
            f"big packets {noun}",
            penalty,
            when,
            subjects,
            f"packets {{above}} {{vanish}} {where} (smaller ones pass)",
            variant=variant,
            fault="mtu",
            least=_MOST_BIG_ONES,
            both=subjects is path_features.nodes,
            seconds=1,
        )
        for name, variant, noun, penalty, when, subjects, where in (
            ("node_mtu", "", "of a node", 4.5, path_features.big, path_features.nodes, "in or out of {subject}"),
            ("node_mtu", "in", "into a node", 5.0, path_features.big, path_features.target_node, "into {subject}"),
            ("node_mtu", "out", "out of a node", 5.0, path_features.big, path_features.source_node, "out of {subject}"),
            (
                "pod_network_mtu",
                "",
                "of a node's pod network",
                5.0,
                path_features.big_pod,
                path_features.nodes,
                "in or out of the pod network of {subject}",
            ),
            (
                "pod_network_mtu",
                "in",
                "into a node's pod network",
                5.5,
                path_features.big_pod,
                path_features.target_node,
                "into the pod network of {subject}",
            ),
            (
                "pod_network_mtu",
                "out",
                "out of a node's pod network",
                5.5,
                path_features.big_pod,
                path_features.source_node,
                "out of the pod network of {subject}",
            ),
            (
                "pair_mtu",
                "",
                "from one node to another",
                5.0,
                path_features.big,
                path_features.way_there,
                "from {a} to {b}",
            ),
            (
                "pair_mtu",
                "pod",
                "from one node to another",
                6.5,
                path_features.big_pod,
                path_features.way_there,
                "from {a} to {b} in the pod network only",
            ),
            (
                "pair_mtu",
                "host",
                "from one node to another",
                6.5,
                path_features.big_host,
                path_features.way_there,
                "from {a} to {b} in the host network only",
            ),
        )
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
            noun,
            4.0,
            lambda route: False,
            path_features.nodes,
            total,
            fault="full",
        )
        for name, noun, total in (
            (
                "conntrack_full",
                "a node's conntrack table",
                "the conntrack table of {subject} is full and new connections fail: {used}",
            ),
            ("backlog_full", "a node's receive backlog", "{subject} gets more packets than its CPUs take: {used}"),
        )
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
            age=STARVED if name == "agent_frozen" else 0.0,
        )
        for name, how, penalty, cannot, variant in (
            ("agent_gone", "gone", 4.0, path_features.agent_gone, ""),
            ("agent_frozen", "frozen", 4.5, path_features.agent_frozen, ""),
            ("agent_frozen", "frozen", 5.5, path_features.agent_frozen_long, "backlog"),
        )
        for scope, extra, subject in (("", 0.0, path_features.target), ("node", 1.0, path_features.target_node))
    ),
    Part(
        "agent_displaced",
        "a node's agent, at whose address another one answers",
        4.0,
        lambda route: False,
        path_features.target,
        "somebody else answers at {address}, the address of {subject}, since {since}",
        fault="misdelivered",
        hides=lambda route: route.between_members,
    ),
    *(
        Part(
            name,
            noun,
            penalty,
            when,
            path_features.servers,
            f"{{subject}} {total} since {{since}}{{agree}}",
            f"{{subject}} {partial} since {{since}}{{agree}}",
            variant=variant,
            fault=fault,
            share=path_features.server_share,
            whole=True,
        )
        for name, variant, noun, penalty, when, fault, total, partial in (
            (
                "dns_udp",
                "",
                "a DNS server by UDP",
                5.0,
                path_features.dns_udp,
                "deaf",
                "is deaf by UDP and answers by TCP",
                "leaves {loss} of the questions by UDP without an answer, TCP is well,",
            ),
            (
                "dns_tcp",
                "",
                "a DNS server by TCP",
                5.0,
                path_features.dns_tcp,
                "deaf",
                "is deaf by TCP and answers by UDP",
                "leaves {loss} of the questions by TCP without an answer, UDP is well,",
            ),
            (
                "dns_tcp",
                "refused",
                "a DNS server by TCP",
                5.0,
                path_features.dns_tcp_refused,
                "refused",
                "refuses TCP and answers by UDP",
                "refuses {loss} of the questions by TCP, UDP is well,",
            ),
            (
                "dns_server",
                "",
                "a DNS server",
                4.0,
                path_features.dns_silent,
                "silent",
                "answers neither by UDP nor by TCP",
                "leaves {loss} of the questions without an answer",
            ),
            (
                "dns_server",
                "refused",
                "a DNS server",
                4.5,
                path_features.dns_gone,
                "refused",
                "refuses or answers wrongly",
                "refuses or answers wrongly {loss} of the questions",
            ),
        )
    ),
    *(
        Part(
            name,
            noun,
            penalty,
            when,
            subjects,
            f"{total} since {{since}}{{agree}}",
            f"{partial} since {{since}}{{agree}}",
            variant=variant,
            fault="silent",
            severity=Severity.CRITICAL if name == "dns_service" else Severity.WARNING,
            whole=name == "dns_service",
        )
        for name, variant, noun, penalty, when, subjects, total, partial in (
            *(
                (
                    "dns_service",
                    variant,
                    "the cluster's DNS",
                    penalty,
                    when,
                    path_features.dns_service,
                    f"no DNS server of the cluster {total}",
                    f"the DNS servers of the cluster {partial}",
                )
                for variant, penalty, when, total, partial in (
                    (
                        "",
                        4.5,
                        path_features.cluster_dns_silent,
                        "answers",
                        "leave {loss} of the questions without an answer",
                    ),
                    (
                        "refused",
                        5.0,
                        path_features.cluster_dns_gone,
                        "answers rightly",
                        "refuse or answer wrongly {loss} of the questions",
                    ),
                    (
                        "udp",
                        5.5,
                        path_features.cluster_dns_udp,
                        "answers by UDP, TCP is well,",
                        "leave {loss} of the questions by UDP without an answer, TCP is well,",
                    ),
                    (
                        "tcp",
                        5.5,
                        path_features.cluster_dns_tcp,
                        "answers by TCP, UDP is well,",
                        "leave {loss} of the questions by TCP without an answer, UDP is well,",
                    ),
                )
            ),
            (
                "dns_node",
                "",
                "DNS as one node sees it",
                5.5,
                path_features.cluster_dns_silent,
                path_features.dns_seen,
                "{a} gets no answer from any DNS server, others do,",
                "{a} gets no answer to {loss} of its questions to DNS servers, others do,",
            ),
            (
                "dns_node",
                "service",
                "DNS as one node sees it",
                7.0,
                path_features.dns_service_silent,
                path_features.dns_seen,
                "{a} gets no answer from the DNS service, others do,",
                "{a} gets no answer to {loss} of its questions to the DNS service, others do,",
            ),
            (
                "dns_upstream",
                "names",
                "names outside of the cluster",
                4.5,
                path_features.upstream,
                path_features.dns_upstream,
                "the cluster's DNS resolves no names outside of the cluster",
                "the cluster's DNS does not resolve {loss} of the names outside of the cluster",
            ),
            (
                "service_proxy",
                "",
                "the service proxy on a node",
                6.3,  # above a port of a plain target, of which no more than that was seen
                path_features.virtual,
                path_features.source_node,
                "no Service works on {subject} (service proxy)",
                "{loss} of the requests to Services fail on {subject} (service proxy)",
            ),
            (
                "zone_target",
                "",
                "a plain target as one zone sees it",
                6.0,
                path_features.plain,
                path_features.zone_target,
                "zone {a} does not reach {b}, others do,",
                "zone {a} gets no answer to {loss} of its requests to {b}, others do,",
            ),
        )
    ),
    *(
        Part(
            name,
            noun,
            4.0,
            lambda route, question=question, paths=paths: (  # type: ignore[misc]
                route.question is question and path_features.to_plain_target(route, paths)
            ),
            path_features.target,
            f"{what} {{subject}} {verb} since {{since}}{{agree}}",
            f"{what} {{subject}} {partly} since {{since}}{{agree}}",
            variant=variant,
            fault=fault,
            severity=Severity.CRITICAL if name == "api_server" else Severity.WARNING,
            whole=True,
        )
        for name, noun, what, paths in (
            ("api_server", "the API server", "the API server", path_features.API_PATHS),
            ("ingress", "the ingress", "the ingress", (Path.INGRESS,)),
            ("service", "a Service", "the Service", (Path.SERVICE,)),
            ("dns_upstream", "a DNS server outside", "the DNS server", (Path.DNS_UPSTREAM,)),
            ("external", "a target outside", "the target", (Path.EXTERNAL,)),
        )
        for question, verb, partly, variant, fault in (
            (Aspect.REACH, "does not answer", "does not answer {loss} of all requests", "", "silent"),
            (
                Aspect.ANSWER,
                "refuses or answers wrongly",
                "refuses or answers wrongly {loss} of all requests",
                "refused",
                "refused",
            ),
        )
    ),
    *(
        Part(
            name,
            f"the delay of {noun}",
            penalty,
            path_features.speed_of_dns if name == "dns_slow" else path_features.speed,
            subjects,
            f"{what} since {{since}}: {{delay}}{{agree}}",
            fault="slow",
            least=0.5,
            both=name == "node_slow",
            share=_SLOW_SHARES.get(name),
            age=SLOW_AGE,
            severity=Severity.INFO,
        )
        for name, noun, penalty, subjects, what in (
            ("node_slow", "a node's link", 4.0, path_features.nodes, "everything to and from {subject} is slow"),
            (
                "zone_pair_slow",
                "the way from one zone to another",
                5.5,
                path_features.zones,
                "zone {a} > zone {b} is slow",
            ),
            ("pair_slow", "the way from one node to another", 6.0, path_features.pair_either, "{a} > {b} is slow"),
            ("target_slow", "a plain target", 4.0, path_features.plain_target, "{subject} answers slowly"),
            ("dns_slow", "a DNS server", 3.5, path_features.servers, "{subject} answers slowly"),
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


MOST_SERVERS = 8
"""Servers behind a Service up to which each counts as crossed. Fewer, and a sick DNS server is not told from its
Service; more, and each is crossed by so few trials that they tell nothing of it."""

_ROWS = {(row.name, row.variant): row for row in PARTS}


def crossed(route: Traversal) -> list[tuple[int, str]]:
    """All that trials on this route cross, as (index of the row in `PARTS`, subject). Of a Service with more than
    `MOST_SERVERS` servers those are left out: each is crossed by so few trials that they tell nothing of it."""
    if len(route.target.behind) > MOST_SERVERS:
        route = msgspec.structs.replace(route, target=msgspec.structs.replace(route.target, behind=()))
    shape = route.shape
    rows = _BY_SHAPE.get(shape)
    if rows is None:
        rows = _BY_SHAPE[shape] = [(index, row.subjects) for index, row in enumerate(PARTS) if row.when(route)]
    return [(index, subject) for index, subjects in rows for subject in subjects(route)]


_BY_SHAPE: dict[tuple[object, ...], list[tuple[int, Callable[[Traversal], Subjects]]]] = {}
"""Rows by shape: a cache, as large as there are shapes."""
