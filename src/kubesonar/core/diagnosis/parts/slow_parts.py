"""Links, ways and targets that are slower than they usually are."""

from __future__ import annotations

from kubesonar.core.diagnosis.parts import conditions, dns_conditions, shares, subjects
from kubesonar.core.diagnosis.parts.part import Part
from kubesonar.model import Severity

SLOW_AGE = 55.0
"""Seconds for which a path must have been slow before it is told; shorter, and a burst of traffic is a finding."""

_SLOW_SHARES = {
    "node_slow": shares.part_of_node,
    "zone_pair_slow": shares.part_of_zones,
    "target_slow": shares.server_share,
    "dns_slow": shares.server_share,
}

SLOW_PARTS: tuple[Part, ...] = (
    *(
        Part(
            name,
            penalty,
            dns_conditions.speed_of_dns if name == "dns_slow" else conditions.speed,
            crossing,
            f"{what} since {{since}}: {{delay}}{{agree}}",
            fault="slow",
            least=0.5,
            both=name == "node_slow",
            share=_SLOW_SHARES.get(name),
            age=SLOW_AGE,
            severity=Severity.INFO,
        )
        for name, penalty, crossing, what in (
            ("node_slow", 4.0, subjects.nodes, "everything to and from {subject} is slow"),
            (
                "zone_pair_slow",
                5.5,
                subjects.zones,
                "zone {a} > zone {b} is slow",
            ),
            ("pair_slow", 6.0, subjects.pair_either, "{a} > {b} is slow"),
            ("target_slow", 4.0, subjects.plain_target, "{subject} answers slowly"),
            ("dns_slow", 3.5, subjects.servers, "{subject} answers slowly"),
        )
    ),
)
