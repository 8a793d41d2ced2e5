"""Links and ways that pass small packets and lose big ones."""

from __future__ import annotations

from kubesonar.core.diagnosis.parts import conditions, subjects
from kubesonar.core.diagnosis.parts.part import Part

_MOST_BIG_ONES = 0.8
"""Share of big packets from which on their loss depends on their size: less, and mere loss counts as a small MTU; more,
and a path of which one way of two is broken does not."""

MTU_PARTS: tuple[Part, ...] = (
    Part(
        "collector_mtu",
        4.0,
        lambda route: False,
        subjects.nodes,
        "only small packets get from {subject} to the collector, not {used}",
        fault="mtu",
    ),
    *(
        Part(
            name,
            penalty,
            when,
            crossing,
            f"packets {{above}} {{vanish}} {where} (smaller ones pass)",
            variant=variant,
            fault="mtu",
            least=_MOST_BIG_ONES,
            both=crossing is subjects.nodes,
            seconds=1,
        )
        for name, variant, penalty, when, crossing, where in (
            ("node_mtu", "", 4.5, conditions.big, subjects.nodes, "in or out of {subject}"),
            ("node_mtu", "in", 5.0, conditions.big, subjects.target_node, "into {subject}"),
            ("node_mtu", "out", 5.0, conditions.big, subjects.source_node, "out of {subject}"),
            (
                "pod_network_mtu",
                "",
                5.0,
                conditions.big_pod,
                subjects.nodes,
                "in or out of the pod network of {subject}",
            ),
            (
                "pod_network_mtu",
                "in",
                5.5,
                conditions.big_pod,
                subjects.target_node,
                "into the pod network of {subject}",
            ),
            (
                "pod_network_mtu",
                "out",
                5.5,
                conditions.big_pod,
                subjects.source_node,
                "out of the pod network of {subject}",
            ),
            (
                "pair_mtu",
                "",
                5.0,
                conditions.big,
                subjects.way_there,
                "from {a} to {b}",
            ),
            (
                "pair_mtu",
                "pod",
                6.5,
                conditions.big_pod,
                subjects.way_there,
                "from {a} to {b} in the pod network only",
            ),
            (
                "pair_mtu",
                "host",
                6.5,
                conditions.big_host,
                subjects.way_there,
                "from {a} to {b} in the host network only",
            ),
        )
    ),
)
