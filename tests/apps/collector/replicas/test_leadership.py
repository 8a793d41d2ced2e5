"""Whether a replica leads, in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

from kubesonar.apps.collector.replicas.leadership import DURATION, RENEWAL_VALID, Alone, ReplicaLeadership
from tests.virtual_time import VirtualClock, run_virtually


class Elected:
    """An election whose result a test decides."""

    def __init__(self) -> None:
        self.renewed = -inf
        self.current = ""
        self.term = 0

    async def run(self) -> None:
        return

    async def release(self) -> None:
        return


class Leading:
    """A leadership with its clock and election, whether its followers promise, and the terms that began and ended."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.election = Elected()
        self.promised = False
        self.began: list[int] = []
        self.ended: list[int] = []
        self.leadership = ReplicaLeadership("a", self.clock, lambda since: self.promised)

    def renew(self, term: int = 0) -> None:
        self.election.renewed = self.clock.mono()
        self.election.term = max(term, self.election.term)

    async def duty(self, term: int) -> None:
        self.began.append(term)
        try:
            await asyncio.sleep(inf)
        finally:
            self.ended.append(term)


@asynccontextmanager
async def leading() -> AsyncIterator[Leading]:
    made = Leading()
    task = asyncio.create_task(made.leadership.run(made.election, made.duty))
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_it_leads_for_as_long_as_its_election_is_renewed_and_again_in_a_greater_term() -> None:
    async def work() -> None:
        async with leading() as one:
            await asyncio.sleep(1)
            assert not one.leadership.leads()
            one.renew(7)
            await asyncio.sleep(1)
            assert (one.leadership.leads(), one.leadership.leader, one.began) == (True, "a", [7])
            await asyncio.sleep(RENEWAL_VALID)
            assert (one.leadership.leads(), one.leadership.leader, one.ended) == (False, "", [7])
            one.renew()
            await asyncio.sleep(1)
            assert one.began == [7, 8]

    run_virtually(work())


def test_who_was_frozen_leads_no_more_from_the_first_moment_on() -> None:
    async def work() -> None:
        async with leading() as one:
            one.renew(1)
            await asyncio.sleep(1)
            one.clock.ahead = RENEWAL_VALID
            assert not one.leadership.leads()

    run_virtually(work())


def test_while_the_election_cannot_be_asked_the_word_of_all_followers_entitles_who_leads_but_no_other() -> None:
    async def work() -> None:
        async with leading() as one:
            one.promised = True
            await asyncio.sleep(1)
            assert not one.leadership.leads()
            one.renew(1)
            await asyncio.sleep(10 * DURATION)
            assert (one.leadership.leads(), one.began) == (True, [1])
            one.promised = False
            await asyncio.sleep(1)
            assert (one.leadership.leads(), one.ended) == (False, [1])

    run_virtually(work())


def test_a_follower_holds_back_while_it_hears_a_leader_and_believes_no_earlier_one() -> None:
    async def work() -> None:
        async with leading() as one:
            assert one.leadership.heard("b", 4)
            assert not one.leadership.heard("c", 3)
            assert (one.leadership.follows(), one.leadership.leader) == (True, "b")
            await asyncio.sleep(DURATION)
            assert (one.leadership.follows(), one.leadership.leader) == (False, "")
            one.renew(1)
            await asyncio.sleep(1)
            assert one.began == [5]

    run_virtually(work())


def test_a_leader_stops_when_it_hears_one_of_a_greater_term_and_not_for_one_of_its_own() -> None:
    async def work() -> None:
        async with leading() as one:
            one.renew(2)
            await asyncio.sleep(1)
            assert not one.leadership.heard("b", 2)
            assert one.leadership.leads()
            assert one.leadership.heard("b", 3)
            assert (one.leadership.leads(), one.leadership.leader) == (False, "b")

    run_virtually(work())


def test_a_leader_that_is_refused_and_still_elected_leads_in_a_term_that_nobody_knows_yet() -> None:
    async def work() -> None:
        async with leading() as one:
            one.renew(2)
            await asyncio.sleep(1)
            one.leadership.refused(9)
            assert not one.leadership.leads()
            await asyncio.sleep(1)
            assert one.began == [2, 10]

    run_virtually(work())


def test_who_is_alone_leads_at_once_and_for_ever() -> None:
    async def work() -> None:
        leadership = ReplicaLeadership("a", VirtualClock(), lambda since: False)
        began = asyncio.Event()

        async def duty(term: int) -> None:
            began.set()
            await asyncio.sleep(inf)

        task = asyncio.create_task(leadership.run(Alone("a"), duty))
        await began.wait()
        await asyncio.sleep(1000)
        assert leadership.leads()
        task.cancel()

    run_virtually(work())
