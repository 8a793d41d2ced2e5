"""Rosters from the API double, on the event loop that an agent runs on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kubesonar.discovery.kubernetes import KubernetesRoster
from kubesonar.discovery.options import KubernetesOptions, RosterOptions
from kubesonar.discovery.urgency import Urgency
from kubesonar.model import Member, Roster, State
from tests.kube.apiserver import ApiServer
from tests.kube.running import QUICK, client_of
from tests.waiting import until


class Rosters(list[Roster]):
    """Those that were emitted so far, in their order."""

    looked = 0
    """How many of them `become` has passed."""

    @property
    def last(self) -> Roster:
        """The one in force."""
        return self[-1] if self else Roster("", ())

    @property
    def states(self) -> dict[str, State]:
        """Each member's state, in the one in force."""
        return _states(self.last)

    def named(self, name: str) -> Member:
        """The member of that name."""
        member = self.last.named(name)
        assert member is not None
        return member

    async def become(self, states: dict[str, State]) -> None:
        """Waits until the members had these states in a roster that is not stale, since those waited for before."""

        def found() -> bool:
            for at, roster in enumerate(self[self.looked :], self.looked):
                if _states(roster) == states and not roster.stale:
                    self.looked = at
                    return True
            return False

        await until(found)


def _states(roster: Roster) -> dict[str, State]:
    return {member.name: member.state for member in roster.members}


def options(linger: float = 0.3, **of_kubernetes: float) -> RosterOptions:
    """Options that do not make a test wait."""
    return RosterOptions(linger=linger, kubernetes=KubernetesOptions(**({"settle": 0.05} | of_kubernetes)))  # type: ignore[arg-type]


@asynccontextmanager
async def following(
    api: ApiServer, folder: Path, chosen: RosterOptions | None = None, port: int = 0, urgency: Urgency | None = None
) -> AsyncIterator[Rosters]:
    """Kubernetes as a source of rosters, at work."""
    client = client_of(api, folder)
    rosters = Rosters()
    source = KubernetesRoster(
        client, chosen or options(), port, rosters.append, rng=random.Random(1), reflector=QUICK, urgency=urgency
    )
    task = asyncio.create_task(source.watch())
    try:
        yield rosters
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        client.close()
