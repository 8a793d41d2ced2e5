"""Ways between two nodes, and what is less than a whole link or way: one address family, one protocol, one port."""

from __future__ import annotations

from kubesonar.core.diagnosis.parts import conditions, shares, subjects
from kubesonar.core.diagnosis.parts.part import Part
from kubesonar.core.diagnosis.parts.traversal import Aspect
from kubesonar.model import Kind

_ONE_WAY = 1.0
"""Nats by which one way of a part is less probable than both, as of a node and its ways."""

PAIR_PARTS: tuple[Part, ...] = (
    Part(
        "pair",
        6.0,
        conditions.passes,
        subjects.pair,
        "nothing gets from {a} to {b}{or_back} since {since}{back}",
        "{a} > {b}{or_back} loses {loss} of packets since {since}",
        share=shares.part_of_pair,
    ),
    Part(
        "pair",
        9.0,
        conditions.passes_way_pod,
        subjects.pair,
        "nothing gets from {a} to {b}{or_back} in the pod network since {since}; the host network is well",
        "{a} > {b}{or_back} loses {loss} of packets in the pod network since {since}",
        variant="pod",
        share=shares.part_of_pair,
    ),
    *(
        Part(
            name,
            penalty + (_ONE_WAY if variant else 0.0),
            when,
            subjects.by_family(crossing),
            f"no {{ip}} packets get {way} {place} since {{since}}; the other address family is well",
            f"{place} loses {{loss}} of the {{ip}} packets{which} since {{since}}; the other address family is well",
            variant=variant,
            both=not variant,
            share=shares.part_of_family,
        )
        for name, penalty, when, place, crossings in (
            (
                "node_family",
                8.0,
                conditions.of_one_family,
                "{subject}",
                (subjects.nodes, subjects.receivers, subjects.senders),
            ),
            (
                "pod_network_family",
                8.5,
                conditions.of_one_family_pod,
                "the pod network of {subject}",
                (subjects.pod_nodes, subjects.pod_receivers, subjects.pod_senders),
            ),
        )
        for (variant, way, which), crossing in zip(
            (("", "in or out of", ""), ("in", "into", " sent to it"), ("out", "out of", " it sends")),
            crossings,
            strict=True,
        )
    ),
    Part(
        "pair_family",
        10.0,
        conditions.of_one_family,
        subjects.by_family(subjects.pair),
        "no {ip} packets get from {a} to {b} since {since}; the other address family is well",
        "{a} > {b} loses {loss} of the {ip} packets since {since}; the other address family is well",
        share=shares.part_of_family,
    ),
    Part(
        "pair_udp",
        10.0,
        lambda route: conditions.passes(route) and not route.tcp and route.kind is not Kind.ICMP,
        subjects.pair,
        "no UDP gets from {a} to {b} since {since}; TCP and ICMP are well",
        "{a} > {b} loses {loss} of UDP packets since {since}; TCP and ICMP are well",
        share=shares.part_of_pair,
    ),
    Part(
        "pair_port",
        9.0,
        lambda route: route.reach and route.tcp,
        subjects.port,
        "{a} gets no answer from {b} on {port} since {since}",
        "{a} often gets no answer from {b} on {port} since {since}",
    ),
    Part(
        "pair_port",
        5.5,  # below the pair's: of a plain target that is asked on one port no more than that was seen
        lambda route: route.reach and route.tcp and not route.between_members and route.kind is not Kind.DNS,
        subjects.port,
        "{a} gets no answer from {b} on {port} since {since}",
        "{a} often gets no answer from {b} on {port} since {since}",
        variant="plain",
    ),
    Part(
        "pair_port",
        9.0,
        lambda route: route.question is Aspect.ANSWER and route.tcp,
        subjects.port,
        "{a} is refused by {b} on {port} since {since}",
        "{a} is often refused by {b} on {port} since {since}",
        variant="refused",
        fault="refused",
    ),
)
