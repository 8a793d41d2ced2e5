"""Random histories of a cluster's DNS, and the properties that every one of them must have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubesonar.core.remedy.events import RemedyAction, RestartOutcome
from kubesonar.core.remedy.history import HOUR, LASTING
from kubesonar.core.remedy.options import RemedyOptions, RepairMode
from kubesonar.core.remedy.remedy import LEAST_ROUNDS, SUCCESSOR_TIMEOUT
from kubesonar.sim.dns_calamities import CALAMITIES
from kubesonar.sim.dns_cluster import ROUND, Ailment, DnsCluster, DoctorOffice, SimDnsPod

if TYPE_CHECKING:
    from random import Random

_HINDSIGHT = 2 * ROUND
"""Seconds for which a pod must have been well for its restart to be wrong: what is decided was measured before."""

_CHAOS = 2400.0


class RestartOracles:
    """Judges each eviction that a cluster's doctors make. `complaints` are sentences about what must not happen,
    `restarts` counts evictions."""

    def __init__(self, cluster: DnsCluster, options: RemedyOptions) -> None:
        self.complaints: list[str] = []
        self.restarts = 0
        self._cluster = cluster
        self._options = options
        self._times: list[float] = []
        self._before: frozenset[str] | None = None
        cluster.evictions.append(self._evicted)

    def saw(self, action: RemedyAction) -> None:
        """Note that a doctor holds the restart under way for ended, which is checked against the truth."""
        if not isinstance(action, RestartOutcome) or self._before is None:
            return
        cluster, now = self._cluster, self._cluster.now
        new = [pod for pod in cluster.pods.values() if pod.uid not in self._before]
        if action.helped and not any(pod.answers(now) or now - pod.ill_since < _HINDSIGHT for pod in new):
            self._complain("a restart is said to have helped, and no successor answers")

    def _evicted(self, pod: SimDnsPod) -> None:
        cluster, now, options = self._cluster, self._cluster.now, self._options
        self.restarts += 1
        if pod.ailment is Ailment.NONE and now - pod.well_at > _HINDSIGHT:
            self._complain(f"{pod.uid} was restarted, and is well")
        if pod.answers(now) and not any(one.answers(now) for one in cluster.present() if one is not pod):
            self._complain(f"{pod.uid} was restarted, the last that answers")
        if cluster.planned or pod.node in cluster.cordoned:
            self._complain(f"{pod.uid} was restarted during planned work")
        if self._times and now - self._times[-1] < options.pause - 1e-6:
            self._complain(f"{pod.uid} was restarted {now - self._times[-1]:.0f} s after another")
        if sum(now - at < HOUR for at in self._times) >= options.hourly:
            self._complain(f"{pod.uid} was restarted beyond {options.hourly} in an hour")
        self._one_at_a_time(pod)
        self._times.append(now)
        self._before = frozenset(cluster.pods)

    def _one_at_a_time(self, pod: SimDnsPod) -> None:
        cluster, now = self._cluster, self._cluster.now
        if self._before is None or not self._times or now - self._times[-1] > SUCCESSOR_TIMEOUT:
            return
        new = [one for one in cluster.pods.values() if one.uid not in self._before]
        if not any(one.answers(now) or one.ill_since > one.ready_at or one is pod for one in new):
            self._complain(f"{pod.uid} was restarted before the successor of another answered")

    def _complain(self, sentence: str) -> None:
        self.complaints.append(f"{self._cluster.now:.0f} {sentence}")


class DnsHistory:
    """One history: 40 minutes in which everything happens that can, then all is mended, and at last one pod falls ill,
    which must be restarted in time. `complaints` are what must never happen and did. Where it is `sparse`, DNS pods are
    asked from half of the nodes only, as in a big cluster."""

    def __init__(self, rng: Random, *, sparse: bool = False) -> None:
        self._rng = rng
        self.options = RemedyOptions(
            repair=RepairMode.ON,
            after=rng.choice((0.0, 60.0)),
            pause=rng.choice((0.0, 60.0, 600.0)),
            hourly=rng.choice((1, 3, 10)),
        )
        self.cluster = cluster = DnsCluster(rng, rng.choice((1, 2, 3, 5, 8)), rng.choice((1, 2, 3, 5)))
        if sparse:
            cluster.asking = rng.sample(cluster.nodes, (len(cluster.nodes) + 1) // 2)
        self.oracles = RestartOracles(cluster, self.options)
        self.office = DoctorOffice(cluster, self.options, 2, self.oracles.saw)

    @property
    def complaints(self) -> list[str]:
        """The sentences of the oracles, empty where nothing went wrong."""
        return self.oracles.complaints

    def play(self) -> None:
        """Let the history happen."""
        cluster, rng = self.cluster, self._rng
        cluster.loss = rng.choice((0.0, 0.0, 0.02))
        while cluster.now < _CHAOS:
            rng.choice(CALAMITIES)(cluster, self.office, rng)
            cluster.run(cluster.now + rng.expovariate(1 / 40))
        self._mend()
        self.office.period = 4 * ROUND  # nothing happens
        cluster.run(cluster.now + HOUR + LASTING)
        self.office.period = ROUND
        self._one_falls_ill()

    def _mend(self) -> None:
        cluster = self.cluster
        cluster.cut.clear()
        cluster.ways.clear()
        cluster.udp_ways.clear()
        cluster.cordoned.clear()
        cluster.planned, cluster.chronic, cluster.start, cluster.loss = (), False, 10.0, 0.0
        cluster.api, cluster.permitted, cluster.least_ready = True, True, 0
        for pod in cluster.present():
            pod.recovers(cluster.now)

    def _one_falls_ill(self) -> None:
        cluster, before = self.cluster, self.oracles.restarts
        pods = [pod for pod in cluster.present() if cluster.now - pod.ready_at > 60]
        if not pods:
            return
        self._rng.choice(pods).falls_ill(cluster.now, Ailment.DEAF)
        cluster.run(cluster.now + max(self.options.after + 2 * ROUND, (1 + LEAST_ROUNDS) * ROUND))
        if self.oracles.restarts == before:
            self.oracles.complaints.append(f"{cluster.now:.0f} a deaf pod was not restarted in time")
