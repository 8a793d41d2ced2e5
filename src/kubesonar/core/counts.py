"""What an agent counts of its own probes, for its metrics."""

from __future__ import annotations

from kubesonar.core.fold import Counters, Histograms
from kubesonar.model import Kind, Observation, Side

RTT_BOUNDS = (0.0001, 0.0005, 0.001, 0.005, 0.025, 0.25)
"""Upper bounds of the round trip histogram in seconds: within a rack, a zone, a region, between regions, and ill."""


class ProbeCounts:
    """A fold: probes by kind and result ("good", or the fault), datagrams sent and answered, UDP round trips over all
    peers. A responder's own observations count only as datagrams of the peer, so they are left out."""

    def __init__(self) -> None:
        self.probes = Counters()
        self.udp_sent = 0
        self.udp_received = 0
        self.rtt = Histograms(RTT_BOUNDS)

    @property
    def overflow(self) -> int:
        """Counts dropped because a family was full."""
        return self.probes.overflow + self.rtt.overflow

    def add(self, observation: Observation) -> None:
        """Takes one observation in."""
        if observation.side is not Side.SOURCE:
            return
        kind, fault = observation.check.kind, observation.fault
        self.probes.add((kind.value, fault.value if fault is not None else "good"))
        if kind is Kind.UDP:
            self.udp_sent += observation.sent
            self.udp_received += observation.received
            if observation.rtt is not None:
                self.rtt.add((), observation.rtt.best)
