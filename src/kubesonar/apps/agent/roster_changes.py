"""What follows from a new roster, and from a change of what the cluster depends on, in order."""

from __future__ import annotations

import logging
from collections.abc import Callable

from kubesonar.apps.agent.cluster import ClusterWatch
from kubesonar.core.probing.cluster_facts import Dependencies
from kubesonar.core.probing.planner import CheckPlanner
from kubesonar.core.telemetry.ledger import Ledger
from kubesonar.discovery.self_lookup import contradictions
from kubesonar.model import Roster
from kubesonar.probes.loop import ProbeLoop
from kubesonar.runtime.supervise import Supervisor

_LOG = logging.getLogger("kubesonar.agent")


class RosterChanges:
    """Takes each roster into the ledger, plans anew, then calls `followers` with it, and `current` where it is not
    stale. The first one begins to watch `cluster`, as the number of agents decides how that is done."""

    def __init__(
        self,
        ledger: Ledger,
        planner: CheckPlanner,
        loop: ProbeLoop,
        cluster: ClusterWatch,
        supervisor: Supervisor,
        followers: list[Callable[[Roster], None]],
        current: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._planner = planner
        self._loop = loop
        self._cluster = cluster
        self._supervisor = supervisor
        self._followers = followers
        self._current = current
        self._watching = False

    def roster_changed(self, roster: Roster) -> None:
        """Take over `roster`; what contradicts this agent's own options is logged."""
        if roster.stale:
            _LOG.warning("the roster is stale", extra={"reason": roster.stale, "members": len(roster.members)})
        else:
            _LOG.info("the roster changed", extra={"revision": roster.revision, "members": len(roster.members)})
        for sentence in contradictions(roster, self._ledger.member):
            _LOG.warning("%s", sentence, extra={"member": self._ledger.member.name})
        self._ledger.roster_changed(roster)
        self._loop.replan()
        for follow in self._followers:
            follow(roster)
        self._cluster.agents(self._planner.figures.agents)
        if not self._watching:
            self._watching = True
            self._supervisor.run_forever("cluster", lambda: self._cluster.watch(self.dependencies_changed))
        if not roster.stale:
            self._current()

    def dependencies_changed(self, found: Dependencies) -> None:
        """Take over the checks of the cluster; what cannot be checked is logged when it is new."""
        for sentence in set(found.lost) - set(self._ledger.lacks):
            _LOG.warning("%s", sentence)
        self._ledger.cannot_check(found.lost)
        if self._planner.found(found.checks):
            self._loop.replan()
