"""Learns what is usual for one edge: the time below which 95 % of its checks stay, learned without keeping them."""

from __future__ import annotations

from kubesonar.model import Kind, Observation, Phase

LEAST = 6
"""Checks from which on the usual time is known. Fewer, and the first answers decide; more, and rare checks are judged
only after minutes."""

TIMES = 3.0
ABOVE = 0.010
"""A check is slow when it took this many times its usual time, and this many seconds more."""

_PERCENTILE = 0.95
_STEP, _STEP_SLOW = 0.02, 0.001
"""Steps of the estimate, relative, for each check and for a slow one. Higher, and it follows a fault within minutes;
lower, and a route that changed for good is slow for days."""


class UsualTime:
    """The estimate: after each check a step up where it took longer, a small one down where not (a quantile by
    stochastic approximation, as Ma, Muthukrishnan and Sandler, 2013)."""

    __slots__ = ("_checks", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self._checks = 0

    @property
    def known(self) -> bool:
        """Whether enough checks were seen."""
        return self._checks >= LEAST

    def slow(self, took: float) -> bool:
        """Return whether a check that took so many seconds is slow, and learn from it."""
        slow = self.known and took > TIMES * self.seconds + ABOVE
        step = _STEP_SLOW if slow else max(_STEP, 1 / (self._checks + 1))
        self._checks += 1
        if self._checks == 1:
            self.seconds = took
        elif took > self.seconds:
            self.seconds *= 1 + step * _PERCENTILE
        else:
            self.seconds *= 1 - step * (1 - _PERCENTILE)
        return slow


def time_taken(observation: Observation) -> float:
    """Return the seconds from the first packet to the last answer, without looking up the name; 0 where not known, and
    where the kernel sent segments again: that is loss and no delay. A connection is kernels' work at both ends: where
    nothing else is asked, the kernel's clock tells, because this process may notice late."""
    kernel = observation.kernel
    if observation.fault is not None or (kernel and kernel.retransmits):
        return 0.0
    if kernel and kernel.rtt and observation.check.kind is Kind.TCP:
        return kernel.rtt
    if observation.phases:
        first = max((span.end for span in observation.phases if span.phase is Phase.DNS), default=0.0)
        return max(0.0, max(span.end for span in observation.phases) - first)
    return observation.rtt.best if observation.rtt else 0.0
