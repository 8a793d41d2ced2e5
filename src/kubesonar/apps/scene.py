"""One look at all agents: what they told, and what it means."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kubesonar.apps.gather import Access, gather
from kubesonar.apps.sources import Source
from kubesonar.apps.times import clock
from kubesonar.core import verdict
from kubesonar.model import Network, Snapshot, Verdict
from kubesonar.net.clock import SystemClock
from kubesonar.views.matrix import Matrix, matrices


class Scene(msgspec.Struct, frozen=True):
    """What was read at `at` (Unix seconds), who could not be read and why, and the verdict."""

    at: float
    snapshots: list[Snapshot]
    unread: dict[str, str]
    verdict: Verdict

    def matrices(self, networks: Sequence[Network] = (Network.POD, Network.HOST)) -> tuple[Matrix, ...]:
        """Who reaches whom."""
        return matrices(self.snapshots, self.unread, self.at, networks)


async def look(sources: Sequence[Source], access: Access | None = None) -> Scene:
    """Asks all agents once and judges."""
    gathered = await gather(sources, access)
    now = SystemClock().wall()
    judged = verdict.judge(gathered.snapshots, gathered.unread, now, clock)
    return Scene(now, gathered.snapshots, gathered.unread, judged)


async def judge(sources: Sequence[Source], access: Access | None = None) -> Verdict:
    """The verdict of one look."""
    return (await look(sources, access)).verdict
