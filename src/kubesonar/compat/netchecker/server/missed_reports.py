"""Counts the reports that agents missed."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kubesonar.compat.netchecker.spec import AgentSpec


class MissedReports:
    """Knows how many reports of each pod are counted as missed since its last one, and which have a live record."""

    def __init__(self) -> None:
        self._counted: dict[str, int] = {}
        self._live: set[str] = set()

    def reported(self, pod: str) -> None:
        """Begin anew: a report has come."""
        self._counted.pop(pod, None)

    def overdue(self, ages: Mapping[str, tuple[AgentSpec, float]]) -> list[str]:
        """Return the pods of which one more is to be counted, given each record and its age: the first after two whole
        intervals, then one for each further interval. This is how reports kept as custom resources are judged."""
        self._counted = {pod: counted for pod, counted in self._counted.items() if pod in ages}
        missing = []
        for pod, (spec, age) in ages.items():
            counted = self._counted.get(pod, 0)
            if spec.report_interval > 0 and age // spec.report_interval > counted + 1:
                self._counted[pod] = counted + 1
                missing.append(pod)
        return missing

    def absent(self, pods: Collection[str], records: Collection[str]) -> list[str]:
        """Return the pods that have no live record and had one at the last call, so each once until it reports again.
        This is how reports kept in etcd are judged, where they end by themselves."""
        missing = [pod for pod in pods if pod in self._live and pod not in records]
        self._live = {pod for pod in records if pod in pods}
        return missing
