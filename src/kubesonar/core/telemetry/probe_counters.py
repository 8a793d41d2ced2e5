"""Counts an agent's own probes, for its metrics."""

from __future__ import annotations

from kubesonar.core.telemetry.instruments import CounterVec, Histograms
from kubesonar.model import Kind, Observation, Path, Side

RTT_BOUNDS = (0.0001, 0.0005, 0.001, 0.005, 0.025, 0.25)
"""Upper bounds of the round trip histogram in seconds: within a rack, a zone, a region, between regions, and ill."""

ANSWER_BOUNDS = (0.005, 0.025, 0.1, 0.5, 2.5)
"""Upper bounds in seconds of how long a plain target takes: a resolver's cache, a TLS handshake, a far or busy server,
what users notice, and ill."""

_MEMBER_PATHS = frozenset({Path.POD, Path.HOST})
_PROBES = 128


class ProbeCounts:
    """An instrument: probes by kind, path and result ("good", or the fault), datagrams sent to members and answered,
    round trips of trains by path, and the duration of good probes of plain targets by kind and path. Responders'
    observations are left out, because the peer that sent the train counts it, and so is the train to the own loopback,
    which tells nothing of the network."""

    def __init__(self) -> None:
        self.probes = CounterVec(_PROBES)
        self.udp_sent = 0
        self.udp_received = 0
        self.rtt = Histograms(RTT_BOUNDS)
        self.answers = Histograms(ANSWER_BOUNDS)

    @property
    def overflow(self) -> int:
        """Counts dropped because a family was full."""
        return self.probes.overflow + self.rtt.overflow + self.answers.overflow

    def add(self, observation: Observation) -> None:
        """Take one observation in."""
        check, fault = observation.check, observation.fault
        if observation.side is not Side.SOURCE or check.path is Path.LOOPBACK:
            return
        kind, path = check.kind, check.path
        self.probes.add((kind, path, fault or "good"))
        if check.kind is Kind.UDP:
            self.udp_sent += observation.sent
            self.udp_received += observation.received
            if observation.rtt is not None:
                self.rtt.add((path,), observation.rtt.best)
        elif fault is None and check.path not in _MEMBER_PATHS:
            self.answers.add((kind, path), _took(observation))


def _took(observation: Observation) -> float:
    """Return the seconds from the start of the probe to its end; the round trip, for a probe without phases."""
    if observation.phases:
        return observation.phases[-1].end
    return observation.rtt.best if observation.rtt is not None else 0.0
