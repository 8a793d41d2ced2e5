"""Looking again and again: what is told is stable, and an incident keeps its beginning."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from kubesonar.apps.client.gather import AgentAccess, Assessment, assess
from kubesonar.apps.client.sources import SnapshotSource
from kubesonar.core.diagnosis.incidents.casebook import Casebook, IncidentChange, settled
from kubesonar.model import Roster


class Watch:
    """Repeated looks at the agents that `sources` finds. `changes` are what became of incidents at the last look."""

    def __init__(self, sources: Callable[[], Sequence[SnapshotSource]], access: AgentAccess) -> None:
        self._sources = sources
        self._access = access
        self._casebook = Casebook()
        self._rosters: Sequence[Roster] = ()
        self.changes: list[IncidentChange] = []

    async def look(self) -> Assessment:
        """Ask all agents once; the verdict holds the open incidents. While the agents that were given do not answer,
        those are asked that they named."""
        seen = await assess(self._sources(), self._access, self._casebook.known, self._rosters)
        if seen.snapshots:  # of all snapshots the rosters alone, which are few: snapshots of a big mesh are large
            self._rosters = [*{each.roster.revision: each.roster for each in seen.snapshots}.values()]
        self.changes = self._casebook.step(seen.at, seen.verdict)
        return msgspec.structs.replace(seen, verdict=settled(seen.verdict, self._casebook))
