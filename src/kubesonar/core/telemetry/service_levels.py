"""The latency indicators of Kubernetes' SIG Scalability, as one agent counts them for its collector.

"In-cluster network latency" is the time of a request to a Service without work of its own, "in-cluster DNS latency"
that of a look-up, at the DNS Service and at the nameserver of the pod (kubernetes/community, sig-scalability/slos,
network_latency.md and dns_latency.md). Agents ask their own Service, and less often than once a second.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.core.telemetry.instruments import Histogram, Histograms
from kubesonar.core.telemetry.usual import time_taken
from kubesonar.model import Count, Fault, Kind, Observation, Path, Side

LATENCY_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds (s) of the indicators' histograms: from one rack to what every client gives up on. Others, and agents of
the version before are left out of the sums."""

_MOST_COUNTS = 64
"""Most buckets that are read of one histogram, also of versions to come."""


class LatencyCounts(msgspec.Struct, frozen=True, array_like=True):
    """Requests since the agent began: answered ones by bucket of `LATENCY_BOUNDS`, their seconds in all, and those that
    failed."""

    counts: Annotated[tuple[Count, ...], msgspec.Meta(max_length=_MOST_COUNTS)]
    seconds: Annotated[float, msgspec.Meta(ge=0, le=1e12)] = 0.0
    failed: Count = 0


class ServiceLevels(msgspec.Struct, frozen=True, omit_defaults=True):
    """The counts of one agent since it began: requests to the own Service, look-ups at the DNS Service and at the cache
    of the node, and the datagrams of trains that it sent and that were answered."""

    service: LatencyCounts | None = None
    dns_service: LatencyCounts | None = None
    dns_node_local: LatencyCounts | None = None
    sent: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)] = 0
    received: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)] = 0


INDICATORS = ("service", "dns_service", "dns_node_local")
"""The fields of `ServiceLevels` that are latencies."""


class LatencyLog:
    """An instrument that counts what `ServiceLevels` holds."""

    def __init__(self) -> None:
        self._answered = Histograms(LATENCY_BOUNDS)
        self._failed = dict.fromkeys(INDICATORS, 0)
        self._sent = 0
        self._received = 0

    def add(self, observation: Observation) -> None:
        """Take one observation in."""
        if observation.side is not Side.SOURCE or observation.check.path is Path.LOOPBACK:
            return
        if observation.check.kind is Kind.UDP:
            self._sent += observation.sent
            self._received += observation.received
            return
        indicator = _indicator(observation)
        fault = observation.fault
        if not indicator or fault is Fault.UNRESOLVED:
            return  # the Service was not asked
        if fault is None:
            self._answered.add((indicator,), time_taken(observation))
        elif fault.accuses:
            self._failed[indicator] += 1

    def levels(self) -> ServiceLevels:
        """Return the counts so far."""
        return ServiceLevels(
            self._counts("service"),
            self._counts("dns_service"),
            self._counts("dns_node_local"),
            self._sent,
            self._received,
        )

    def _counts(self, indicator: str) -> LatencyCounts | None:
        answered = self._answered.series.get((indicator,))
        failed = self._failed[indicator]
        if answered is None and not failed:
            return None
        answered = answered or Histogram(len(LATENCY_BOUNDS))
        return LatencyCounts(tuple(answered.counts), answered.total, failed)


def _indicator(observation: Observation) -> str:
    """Return the indicator that a check counts for, empty for none."""
    check = observation.check
    if check.path is Path.SERVICE:
        return "service" if check.kind is Kind.HTTP else ""
    if check.kind is not Kind.DNS or not check.request.endswith(" udp"):
        return ""
    return {Path.DNS_SERVICE: "dns_service", Path.DNS_NODE_LOCAL: "dns_node_local"}.get(check.path, "")
