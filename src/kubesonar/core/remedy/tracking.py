"""Remembers each DNS pod from round to round: since when it has been sick, and when it was last started."""

from __future__ import annotations

import msgspec

from kubesonar.core.remedy.dns_round import DnsRound, DnsServerPod
from kubesonar.core.remedy.quorum import Judged, PodHealth, Votes

GAP = 60.0
"""Seconds without a round that found the pod sick after which its fault counts as a new one. Less, and one round that
could not tell makes a fault young again; more, and two faults count as one."""


class PodFault(msgspec.Struct):
    """The fault of a pod: since when it has been sick, its last sick round (s of the machine's clock), and how many in
    a row."""

    since: float
    last: float
    rounds: int = 0


class _Started(msgspec.Struct):
    count: int
    at: float


class PodTracker:
    """The pods of one doctor. `well_since` is since when all of them answer, None where one does not."""

    def __init__(self) -> None:
        self.well_since: float | None = None
        self._faults: dict[str, PodFault] = {}
        self._started: dict[str, _Started] = {}

    def track(self, now: float, found: DnsRound, votes: Votes) -> None:
        """Take in a round. What is announced is no fault, and a pod that is not there any more is forgotten."""
        pods = {pod.uid: pod for pod in found.pods or ()}
        for uid in [uid for uid in self._started if uid not in pods]:
            del self._started[uid]
            self._faults.pop(uid, None)
        for uid, pod in pods.items():
            started = self._started.get(uid)
            if started is None or pod.restarts > started.count:
                self._started[uid] = _Started(pod.restarts, now if started is not None else float("-inf"))
            self._track_fault(now, pod, votes.pods[uid], bool(found.planned))
        well = bool(pods) and len(votes.having(PodHealth.ANSWERING)) == len(pods)
        self.well_since = (self.well_since if self.well_since is not None else now) if well else None

    def fault(self, uid: str) -> PodFault | None:
        """Return the fault of the pod, None where it has none."""
        return self._faults.get(uid)

    def age(self, now: float, pod: DnsServerPod) -> float:
        """Return for how many seconds the pod has been as it is, counted from the last start of a container."""
        return min(pod.running_for, now - self._started[pod.uid].at)

    def _track_fault(self, now: float, pod: DnsServerPod, judged: Judged, planned: bool) -> None:
        """Count a sick round; begin anew where the silence is announced, or the pod answers anybody while it is not
        sick for a quorum."""
        answers = judged.health in (PodHealth.ANSWERING, PodHealth.PARTIAL)
        answers |= judged.health is PodHealth.UNKNOWN and judged.heard
        if planned or pod.planned or pod.deleting or answers:
            self._faults.pop(pod.uid, None)
        elif judged.health is PodHealth.SICK:
            fault = self._faults.get(pod.uid)
            if fault is None or now - fault.last > GAP:
                fault = self._faults[pod.uid] = PodFault(now, now)
            fault.last, fault.rounds = now, fault.rounds + 1
