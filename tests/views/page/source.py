"""What a collector would know of a simulated mesh, as the page asks for it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from kubesonar.api.documents import API_SCHEMA, CollectorMember, MatrixDocument, StatesDocument
from kubesonar.core.diagnosis.incidents.casebook import settled
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog, IncidentRecord
from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.verdict import verdict_on
from kubesonar.core.telemetry.reports.short_history import NewTrials, ShortHistory
from kubesonar.core.telemetry.state_log import StateLog, StateSpan
from kubesonar.model import Member, Notice, Snapshot, Verdict
from kubesonar.views.matrix import matrices
from kubesonar.views.page.moments import PageTimes
from tests.core.mesh import Mesh

UTC = PageTimes(
    lambda at: time.strftime("%H:%M:%S", time.gmtime(at)),
    lambda at: time.strftime("%b %d %H:%M:%S", time.gmtime(at)),
    lambda at: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
    "UTC",
)
HOSTILE = "<script>alert(1)</script>\"'&\u202e\n- forged"
"""What somebody who may name things could try: a script, the ends of attributes, and a new line. U+202E turns what
follows it around."""


def history_of(snapshots: Iterable[Snapshot], members: Mapping[str, Member], now: float) -> ShortHistory:
    """What these snapshots tell of the last minutes."""
    history, nodes = ShortHistory(), {name: member.node for name, member in members.items()}
    for snapshot in snapshots:
        told = [NewTrials(edge.latest.check, edge.latest, edge.trials) for edge in snapshot.edges]
        history.add(snapshot.member, nodes, told, 0.0, now)
    return history


class MeshSource:
    """The `api.page.PageSource` of a simulated mesh that was looked at after so many seconds; members of the node
    `silent` did not report."""

    def __init__(self, mesh: Mesh, after: float = 25.0, silent: str = "") -> None:
        read, self.unread, self.at = mesh.run(after).snapshots(after)
        snapshots = [snapshot for snapshot in read if snapshot.member.node != silent]
        self.unread |= {member.name: "it has not reported yet" for member in mesh.members if member.node == silent}
        self.found = basis(snapshots, self.unread, self.at)
        self.log = IncidentLog()
        verdict = verdict_on(self.found, UTC.clock)
        for at in (self.at - 3.0, self.at):
            self.log.step(at, verdict)
        self.said: Verdict | None = settled(verdict, self.log.casebook)
        self.told: list[Notice] = []
        self.past = history_of(snapshots, self.known(), self.at)
        self.trouble = ""
        self.read = {snapshot.member.name: snapshot for snapshot in snapshots}
        self._states = StateLog()
        self._states.step(self.at - 60.0, self.found.who.members.values())

    def now(self) -> float:
        return self.at

    def verdict(self) -> Verdict | None:
        return self.said

    def durable(self) -> str:
        return self.trouble

    def incidents(self) -> Iterable[IncidentRecord]:
        return reversed(self.log.current())

    def members(self) -> Iterable[CollectorMember]:
        for name, member in sorted(self.known().items()):
            yield CollectorMember(member, 1.5 if name in self.read else None, self.unread.get(name, ""))

    def known(self) -> dict[str, Member]:
        """Return all members by name."""
        return dict(self.found.who.members)

    async def snapshot(self, name: str) -> Snapshot | None:
        return self.read.get(name)

    async def snapshots(self) -> Iterable[Snapshot]:
        return self.read.values()

    async def matrix(self) -> MatrixDocument | None:
        return MatrixDocument(API_SCHEMA, self.at, matrices(self.found))

    def states(self) -> StatesDocument:
        return StatesDocument(API_SCHEMA, self.found.who.excused, self.unread)

    def history(self) -> ShortHistory:
        return self.past

    def state_spans(self, since: float) -> Iterable[StateSpan]:
        return self._states.spans(since)

    def notices(self) -> Iterable[Notice]:
        return self.told
