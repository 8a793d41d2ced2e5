"""Parts that many paths share: nodes' links, pod networks, zones, and the network between all nodes."""

from __future__ import annotations

from kubesonar.core.diagnosis.parts import conditions, shares, subjects
from kubesonar.core.diagnosis.parts.part import Part
from kubesonar.model import Severity

_USUAL_EVERYWHERE = 0.035
"""Loss on each way between nodes below which a network counts as well: 0.3 % in each of the parts that a packet crosses
come to nearly 2 %. Lower, and busy networks are findings for ever; higher, and a switch that loses 3 % is none."""

LINK_PARTS: tuple[Part, ...] = (
    Part(
        "node",
        4.0,
        conditions.passes,
        subjects.nodes,
        "{subject} is {cut} since {since}{agree}",
        "{subject} loses {both} since {since}{agree}",
        fault="cut",
        both=True,
        ways=("node_in", "node_out"),
        share=shares.part_of_node,
    ),
    Part(
        "node_in",
        5.0,
        conditions.passes,
        subjects.receivers,
        "{subject} receives nothing from anyone since {since}{agree}",
        "{subject} loses {loss} of the packets sent to it since {since}{agree}",
        share=shares.part_of_node,
    ),
    Part(
        "node_out",
        5.0,
        conditions.passes,
        subjects.senders,
        "nothing that {subject} sends arrives anywhere since {since}{agree}",
        "{subject} loses {loss} of the packets it sends since {since}{agree}",
        share=shares.part_of_node,
    ),
    Part(
        "pod_network",
        4.5,
        conditions.passes_pod,
        subjects.pod_nodes,
        "the pod network of {subject} is cut off: nothing gets {gets} since {since}, its host answers{agree}",
        "the pod network of {subject} loses {both} since {since}{agree}",
        fault="cut",
        both=True,
        ways=("pod_network_in", "pod_network_out"),
        share=shares.part_of_pod_network,
    ),
    Part(
        "pod_network_in",
        5.5,
        conditions.passes_pod,
        subjects.pod_receivers,
        "the pod network of {subject} receives nothing from anyone since {since}{agree}",
        "the pod network of {subject} loses {loss} of the packets sent to it since {since}{agree}",
        share=shares.part_of_pod_network,
    ),
    Part(
        "pod_network_out",
        5.5,
        conditions.passes_pod,
        subjects.pod_senders,
        "nothing that the pod network of {subject} sends arrives anywhere since {since}{agree}",
        "the pod network of {subject} loses {loss} of the packets it sends since {since}{agree}",
        share=shares.part_of_pod_network,
    ),
    Part(
        "zone",
        4.0,
        lambda route: False,
        subjects.zones,
        "zone {subject} is down or cut off{since}: {which}",
        fault="cut",
        severity=Severity.CRITICAL,
    ),
    Part(
        "zone_pair",
        5.5,
        conditions.passes,
        subjects.zones,
        "nothing gets from zone {a} to zone {b}{or_back} since {since}{agree}",
        "zone {a} > zone {b}{or_back} loses {loss} of packets since {since}{agree}",
        severity=Severity.CRITICAL,
        share=shares.part_of_zones,
    ),
    *(
        Part(
            "network",
            penalty,
            conditions.passes,
            crossing,
            "nothing gets from any node to another since {since}: look at what all nodes share",
            "all nodes lose {loss} of the packets between each other since {since}: look at what they share",
            variant=variant,
            severity=Severity.CRITICAL,
            least=_USUAL_EVERYWHERE,
            both=True,
            common=True,
            share=shares.part_between_nodes if variant else None,
        )
        for variant, penalty, crossing in (  # below two nodes at once
            ("", 6.5, subjects.all_nodes),
            ("nodes", 6.5, subjects.between_nodes),
        )
    ),
)
