"""Probes of targets that may be gone, such as DNS pods that are listed only now and then."""

from __future__ import annotations

from typing import Protocol

from kubesonar.core.probing.stale_targets import StaleTargets
from kubesonar.model import Check, Observation, Path
from kubesonar.probes.source import Probe


class TargetListing(Protocol):
    """The source of the targets. `listed` is when they were listed last (Unix seconds), infinite while they are
    watched; `doubt` asks for a new list soon."""

    @property
    def listed(self) -> float: ...

    def doubt(self) -> None: ...


class CautiousProbe:
    """Runs `probe`. A failure of a target on `path` asks for a new list, and accuses the target only after that."""

    def __init__(self, probe: Probe, path: Path, listing: TargetListing) -> None:
        self._probe = probe
        self._path = path
        self._listing = listing
        self._stale = StaleTargets()

    async def __call__(self, check: Check) -> Observation:
        observation = await self._probe(check)
        if check.path is not self._path:
            return observation
        if observation.fault is not None and observation.fault.accuses:
            self._listing.doubt()
        return self._stale.judged(observation, self._listing.listed)
