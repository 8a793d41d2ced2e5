"""What several members saw of one, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubesonar.core.membership.messages import Reachability, Seen
from kubesonar.model import Condition

CONDITIONS = {
    Reachability.SILENT: Condition.DEAD,
    Reachability.REFUSED: Condition.GONE,
    Reachability.KERNEL: Condition.FROZEN,
}
"""What a member is of which enough witnesses saw the same. The agent gone is not the host dead, and a host that answers
for an agent that does not is frozen."""

_HAIR = 1e-9


class ProbeReport(msgspec.Struct, frozen=True, gc=False):
    """One member's word: who, of which zone, saw what, and what its word weighs (0 to 1)."""

    name: str
    zone: str
    sight: Reachability
    weight: float


def verdict(given: Iterable[ProbeReport], witnesses: int, zones: int) -> Condition | None:
    """What at least `witnesses` (by weight) from at least so many zones agree on: BACK as soon as one saw the agent,
    DEAD only if nobody saw the kernel either; None if they do not agree, or too few could tell."""
    spoken = list(given)
    if any(one.sight is Reachability.AGENT for one in spoken):
        return Condition.BACK
    answered = any(one.sight in (Reachability.KERNEL, Reachability.REFUSED) for one in spoken)
    for sight, condition in CONDITIONS.items():
        if sight is Reachability.SILENT and answered:
            continue
        agreed = [one for one in spoken if one.sight is sight]
        enough = sum(one.weight for one in agreed) >= witnesses - _HAIR
        if enough and len({one.zone for one in agreed}) >= zones:
            return condition
    return None


def seen(given: Iterable[ProbeReport], limit: int) -> tuple[Seen, ...]:
    """The first `limit` that could tell, as a claim names them."""
    told = [Seen(one.name, one.sight) for one in given if one.sight in CONDITIONS]
    return tuple(told[:limit])
