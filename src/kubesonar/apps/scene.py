"""One look at all agents: their snapshots, and the verdict on them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kubesonar.apps.gather import Access, gather
from kubesonar.apps.sources import SnapshotSource
from kubesonar.apps.times import clock
from kubesonar.core.diagnosis.join import Basis, basis
from kubesonar.core.diagnosis.verdict import verdict_on
from kubesonar.model import Network, Snapshot, Verdict
from kubesonar.net.clock import SystemClock
from kubesonar.views.matrix import Matrix, matrices


class Scene(msgspec.Struct, frozen=True):
    """The snapshots read at `at` (Unix seconds), the evidence in them, and the verdict."""

    at: float
    snapshots: list[Snapshot]
    found: Basis
    verdict: Verdict

    def matrices(self, networks: Sequence[Network] = (Network.POD, Network.HOST)) -> tuple[Matrix, ...]:
        """Return who reaches whom, a matrix for each network."""
        return matrices(self.found, networks)


async def gather_scene(sources: Sequence[SnapshotSource], access: Access | None = None) -> Scene:
    """Ask all agents once and judge."""
    gathered = await gather(sources, access)
    now = SystemClock().wall()
    found = basis(gathered.snapshots, gathered.unread, now)
    return Scene(now, gathered.snapshots, found, verdict_on(found, clock))


async def judge_sources(sources: Sequence[SnapshotSource], access: Access | None = None) -> Verdict:
    """Return the verdict of one look."""
    return (await gather_scene(sources, access)).verdict
