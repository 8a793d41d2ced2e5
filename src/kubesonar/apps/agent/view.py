"""Shows an agent by its API: its snapshot, its metrics, whether it is ready."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain

import msgspec

from kubesonar import __version__
from kubesonar.apps.agent.roster_source import RosterSource
from kubesonar.core.probing.planner import CheckPlanner
from kubesonar.core.telemetry.ledger import Ledger
from kubesonar.core.telemetry.probe_counters import ProbeCounts
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.model import Observation, Snapshot
from kubesonar.net.clock import Clock
from kubesonar.net.watched_file import bad_files
from kubesonar.runtime.proc import process_usage
from kubesonar.runtime.self_monitor import SelfMonitor
from kubesonar.views.metrics.agent import AgentMetrics, Facts, MetricsOptions
from kubesonar.views.metrics.exposition import Metric, Series
from kubesonar.views.metrics.saturation import saturation_families


class LiveAgentView:
    """The `api.agent.AgentView` of a running agent. `dropped` returns what was dropped so far, by what it was; `more`
    the families of other tables of metrics, `keys` the ids of the keys in force, that of the signing one first, and
    `identity` who this agent is."""

    def __init__(
        self,
        options: MetricsOptions,
        ledger: Ledger,
        clock: Clock,
        monitor: SelfMonitor,
        planner: CheckPlanner,
        rosters: RosterSource,
        dropped: Callable[[], Mapping[str, int]],
        more: Callable[[], Iterable[tuple[Metric, Series]]],
        keys: Callable[[], tuple[int, ...]],
        identity: Callable[[], WireIdentity],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._monitor = monitor
        self._planner = planner
        self._rosters = rosters
        self._dropped = dropped
        self._more = more
        self._keys = keys
        self._identity = identity
        self._counts = ProbeCounts()
        self._metrics = AgentMetrics(options)
        self._not_ready = "starting"
        ledger.register(self._counts)

    def started(self) -> None:
        """Report ready from now on, unless the agent leaves already."""
        if self._not_ready == "starting":
            self._not_ready = ""

    def leaving(self) -> None:
        """Report not ready from now on."""
        self._not_ready = "leaving"

    def identity(self) -> WireIdentity:
        """Return who this agent is, as far as it knows."""
        return self._identity()

    def ready(self) -> str:
        """Return why the agent is not ready, "starting" or "leaving"; empty where it is."""
        return self._not_ready

    def remarks(self) -> list[str]:
        """Return what is amiss with the roster, what of the cluster cannot be checked, and which files (keys, tokens,
        certificates) cannot be used as they are now: a sentence each."""
        return [*self._rosters.remarks, *self._ledger.lacks, *bad_files()]

    def snapshot(self) -> Snapshot:
        """Return all that is known now, with trials."""
        return self._completed(self._ledger.snapshot(self._clock.wall()))

    def head(self) -> Snapshot:
        """Return all that is known now but the edges."""
        return self._completed(self._ledger.head(self._clock.wall()))

    def latest(self) -> Iterable[Observation]:
        """Return the latest observation of every edge."""
        return self._ledger.latest()

    def metrics(self, *, openmetrics: bool) -> bytes:
        """Return the metrics, as OpenMetrics or as Prometheus text."""
        usage = process_usage()
        facts = Facts(
            version=__version__,
            resident=usage.resident,
            cpu=usage.cpu,
            lag=self._monitor.take_worst_lag(),
            troubles=self._monitor.troubles,
            dropped=self._dropped(),
            roster_source=self._rosters.source,
            roster_age=self._rosters.stale_for,
            plan=self._planner.figures,
        )
        snapshot = self._ledger.snapshot(self._clock.wall(), trials=False)
        more = chain(saturation_families(self._monitor.saturation.total), self._more())
        return self._metrics.render(snapshot, self._counts, facts, more, openmetrics=openmetrics)

    def _completed(self, known: Snapshot) -> Snapshot:
        """Return a snapshot with what the ledger does not know."""
        return msgspec.structs.replace(known, keys=self._keys(), saturation=self._monitor.saturation.recent)
