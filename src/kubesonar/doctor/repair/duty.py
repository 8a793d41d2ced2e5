"""One doctor at work: finds what is known of the DNS pods, asks them, and lets the remedy act."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from kubesonar.core.dns_check.questions import ServerRole
from kubesonar.core.dns_check.results import DnsResult
from kubesonar.core.remedy.dns_round import DnsRound, DnsServerPod, DnsStandpoint, PodReply
from kubesonar.core.remedy.events import RemedyAction
from kubesonar.doctor.direct import AskFailed
from kubesonar.doctor.look import Looker
from kubesonar.doctor.repair.facts import FactsReader
from kubesonar.doctor.repair.repairer import Repairer
from kubesonar.doctor.repair.rounds import MeshEdge, round_of, servers_of
from kubesonar.net.clock import Clock

MeshReader = Callable[[Sequence[DnsServerPod]], Awaitable[list[MeshEdge]]]
"""Returns what the agents of a mesh found about these DNS pods, and about the ways to the nodes of those that do not
answer; nothing where that cannot be read."""


class RepairDuty:
    """Makes rounds: from `here`, and from the nodes of the agents whose findings `mesh` reads, where there are any.
    `lost` says why nothing could be asked in the last round, empty where it could."""

    def __init__(
        self,
        looker: Looker,
        facts: FactsReader,
        repairer: Repairer,
        here: DnsStandpoint,
        clock: Clock,
        mesh: MeshReader | None = None,
    ) -> None:
        self.lost = ""
        self._looker = looker
        self._facts = facts
        self._repairer = repairer
        self._here = here
        self._clock = clock
        self._mesh = mesh

    async def round(self, known: Iterable[DnsResult] = ()) -> list[RemedyAction]:
        """Make one round, act on it, and return what was decided and done. `known` are results of a look that was made
        just now: the pods in it are not asked again."""
        return await self._repairer.take(await self.look(known))

    async def look(self, known: Iterable[DnsResult] = ()) -> DnsRound:
        """Ask all DNS pods and return what is known of them; a standpoint that cannot be taken is unknown."""
        labels, self.lost = await self._looker.selector()
        facts = await self._facts.read(labels)
        results = [one for one in known if one.server.role is ServerRole.POD]
        asked = {one.server.name for one in results}
        servers = [server for server in servers_of(facts) if server.name not in asked]
        try:
            results += await self._looker.ask_pods(servers) if servers else []
        except AskFailed as failed:
            self.lost = str(failed)
        edges = await self._mesh(facts.pods) if self._mesh is not None and facts.pods else []
        found = round_of(facts, self._here, results, edges, self._clock.wall())
        if all(one.decisive is PodReply.ANSWERED for one in found.replies):
            return found
        return round_of(await self._facts.explain(facts), self._here, results, edges, self._clock.wall())
