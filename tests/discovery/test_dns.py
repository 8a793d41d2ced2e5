"""Members from a headless Service, by a real DNS server and the system's resolver."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kubesonar.discovery.dns import DnsRoster, dns_poll_period
from kubesonar.discovery.options import DnsRosterOptions, RosterOptions
from kubesonar.discovery.urgency import Urgency
from kubesonar.model import Member, Network, State
from tests.discovery.following import Rosters
from tests.discovery.nameserver import NAME, needs_unbound, resolving, serving
from tests.kube.running import run
from tests.waiting import until

SERVING = State.SERVING


def source_of(
    rosters: Rosters,
    own: Sequence[str] = (),
    name: str = NAME,
    linger: float = 60,
    poll: float = 0.05,
    urgency: Urgency | None = None,
) -> DnsRoster:
    options = RosterOptions(linger=linger, dns=DnsRosterOptions(name=name, poll=poll, timeout=5))
    return DnsRoster(options, own, Network.POD, 7473, rosters.append, rng=random.Random(1), urgency=urgency)


@asynccontextmanager
async def following(
    own: Sequence[str] = (), name: str = NAME, linger: float = 60, **how: Any
) -> AsyncIterator[Rosters]:
    rosters = Rosters()
    source = source_of(rosters, own, name, linger, **how)
    task = asyncio.create_task(source.watch("may not list pods"))
    try:
        yield rosters
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        source.close()


@needs_unbound
def test_addresses_are_members_called_by_their_address_and_it_is_said_what_is_unknown() -> None:
    async def scenario() -> None:
        async with following(name="agents") as rosters:
            await rosters.become({"10.0.0.2": SERVING, "10.0.0.10": SERVING})
            assert rosters.named("10.0.0.2") == Member("10.0.0.2", "10.0.0.2", ("10.0.0.2",), 7473)
            assert rosters.last.lacks.startswith("nodes, zones, states and a second address family are unknown")
            assert rosters.last.lacks.endswith("(may not list pods)")

    def body(folder: Path) -> None:
        with serving(folder, ["10.0.0.10", "10.0.0.2", "224.0.0.1", "fd00::2"]):
            run(scenario())

    resolving(body)


@needs_unbound
def test_changes_are_followed_and_an_outage_leaves_the_last_answer_in_force() -> None:
    async def scenario(folder: Path) -> None:
        async with following(own=["fd00::1", "10.0.0.1"], linger=0.5) as rosters:
            with serving(folder, ["fd00::1", "fd00::2", "10.0.0.1"]):
                await rosters.become({"fd00::1": SERVING, "fd00::2": SERVING})
            await until(lambda: rosters.last.stale)
            assert rosters.last.stale.startswith(f"DNS: {NAME} by IPv6: ")
            assert [member.name for member in rosters.last.members] == ["fd00::1", "fd00::2"]
            with serving(folder, ["10.0.0.1"]):  # the other family is no answer
                await until(lambda: rosters.last.stale)
            with serving(folder, ["fd00::1", "fd00::3"]):
                await rosters.become({"fd00::1": SERVING, "fd00::2": State.DELETED, "fd00::3": SERVING})
                await rosters.become({"fd00::1": SERVING, "fd00::3": SERVING})

    resolving(lambda folder: run(scenario(folder)))


@needs_unbound
def test_a_coordinator_looks_at_once_however_rarely_others_do() -> None:
    async def scenario(folder: Path) -> None:
        urgency = Urgency()
        async with following(poll=600, urgency=urgency) as rosters:
            with serving(folder, ["10.0.0.1", "10.0.0.2"]):
                await rosters.become({"10.0.0.1": SERVING, "10.0.0.2": SERVING})
            with serving(folder, ["10.0.0.1", "10.0.0.3"]):
                urgency.set(True)
                await rosters.become({"10.0.0.1": SERVING, "10.0.0.2": State.DELETED, "10.0.0.3": SERVING})

    resolving(lambda folder: run(scenario(folder)))


@needs_unbound
def test_as_many_as_an_answer_holds() -> None:
    addresses = [f"10.0.{number >> 8}.{number & 255}" for number in range(4050)]

    async def scenario() -> None:
        rosters = Rosters()
        assert await source_of(rosters).count() == 4050
        async with following() as rosters:
            await until(lambda: rosters)
            assert len(rosters.last.members) == 4050
            assert "not all of so many addresses may fit" in rosters.last.lacks

    def body(folder: Path) -> None:
        with serving(folder, addresses):
            run(scenario())

    resolving(body)


def test_a_name_that_is_not_there_counts_nobody() -> None:
    async def scenario() -> None:
        rosters = Rosters()
        source = source_of(rosters, name="agents.invalid.")
        assert await source.count() == 0
        source.close()
        async with following(name="agents.invalid.") as rosters:
            await until(lambda: rosters)
            assert rosters.last.members == ()
            assert "agents.invalid." in rosters.last.stale

    resolving(lambda _: run(scenario()))


@pytest.mark.parametrize(("count", "seconds"), [(10, 30), (300, 30), (3000, 300)])
def test_all_agents_together_ask_a_bounded_number_of_questions_a_second(count: int, seconds: float) -> None:
    assert dns_poll_period(30, count) == seconds
    assert 2 * count / dns_poll_period(30, count) <= 20
