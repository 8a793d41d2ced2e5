"""What follows from a fault is listed under it, and not told beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from kubesonar.core.diagnosis.evidence import Lookups
from kubesonar.model import Finding, clip

_RESOLVERS = ("dns_service", "dns_from_node", "dns_server", "dns_udp", "dns_tcp", "service_proxy", "dns_upstream")
"""The parts that look-ups fail by, the likeliest first."""


def listed(findings: Sequence[Finding], lookups: Mapping[tuple[str, str], Lookups]) -> list[Finding]:
    """The findings that are causes, each with what else fails because of it."""
    zones = [finding for finding in findings if finding.part == "zone_pair"]
    causes: list[Finding] = []
    because: dict[int, list[str]] = {}
    for finding in findings:
        cause = next((zone for zone in zones if _follows(finding, zone)), None)
        if cause is None:
            causes.append(finding)
        else:
            because.setdefault(id(cause), []).append(finding.sentence)
    resolver = _resolver(causes)
    if resolver is not None:
        because.setdefault(id(resolver), []).extend(_unresolved(lookups))
    return [
        msgspec.structs.replace(finding, because=tuple(clip(line) for line in because[id(finding)]))
        if id(finding) in because
        else finding
        for finding in causes
    ]


def _follows(finding: Finding, zone: Finding) -> bool:
    """Whether a zone does not reach a target because it does not reach another zone, where the target may be."""
    if finding.part != "zone_target":
        return False
    start, _, end = zone.subject.partition(">")
    return finding.subject.partition(">")[0] in (start, end)


def _resolver(findings: Sequence[Finding]) -> Finding | None:
    """The finding by which names cannot be looked up; where none is about DNS, the first there is."""
    ranked = [finding for name in _RESOLVERS for finding in findings if finding.part == name]
    return next(iter(ranked or findings), None)


def _unresolved(lookups: Mapping[tuple[str, str], Lookups]) -> list[str]:
    targets: dict[str, list[int]] = {}
    for (_, target), found in lookups.items():
        count = targets.setdefault(target, [0, 0])
        count[0] += len(found.bad_at)
        count[1] += found.total
    return [
        f"because of this, {bad} of {total} checks of {target} by name fail"
        for target, (bad, total) in sorted(targets.items())
        if bad
    ]
