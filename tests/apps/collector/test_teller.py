"""One event is told once: by the collector in the words of the incident, or by the coordinator while none answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kubesonar.apps.collector.options import CollectorOptions
from kubesonar.apps.collector.replica import Replica
from kubesonar.apps.collector.teller import IncidentTeller
from kubesonar.config import ConfigError
from kubesonar.core.delivery.retry_queue import DeliveryOptions
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog, IncidentRecord, RecordedChange
from kubesonar.model import Condition, Finding, Notice
from kubesonar.net.clock import SystemClock
from kubesonar.notify.options import NotifyOptions, ReceiverOptions
from kubesonar.runtime.supervise import Supervisor
from tests.apps.agents import RunningAgent, RunningCollector, members, tree, until
from tests.apps.pager import Pager
from tests.clocks import TurnedClock
from tests.kube.running import run
from tests.ports import free_port
from tests.waiting import until as seen

LONG = 10.0
"""Seconds: more than what a coordinator says waits for an incident of the same."""


class Telling(NamedTuple):
    """A replica that is alone, what tells for it, and whom."""

    replica: Replica
    teller: IncidentTeller
    pager: Pager
    clock: TurnedClock

    def incident(self, became: str = "opened") -> IncidentRecord:
        return dead_node(SystemClock().wall(), became)

    def member(self, what: Condition = Condition.DEAD, id: str = "aa") -> Notice:
        return dead_member(SystemClock().wall(), what, id)


def dead_node(now: float, became: str = "opened") -> IncidentRecord:
    finding = Finding("node", "node-3", "dead", now, 0.9, "node-3 is cut off")
    return IncidentRecord(1, "00ff", finding, now, now, now, changes=(RecordedChange(now, became, "cut off"),))


def dead_member(now: float, what: Condition = Condition.DEAD, id: str = "aa") -> Notice:
    return Notice(id, what, "node-3", now, "", "node-3", component="node", members=("a", "b"))


@asynccontextmanager
async def telling(pager: Pager) -> AsyncIterator[Telling]:
    supervisor, log, clock = Supervisor(), IncidentLog(), TurnedClock()
    notify = NotifyOptions(
        receivers=(ReceiverOptions(name="pager", url=pager.url),), delivery=DeliveryOptions(first=0.1, longest=0.5)
    )
    async with AsyncExitStack() as closing:
        replica = Replica(CollectorOptions(), log, {}, clock, closing)
        teller = IncidentTeller(notify, "prod", "https://sonar.example.org/", replica, supervisor, clock)
        closing.push_async_callback(supervisor.stop)
        replica.start(supervisor, closing, teller.tell)
        await seen(replica.decides)
        yield Telling(replica, teller, pager, clock)


@asynccontextmanager
async def without_receivers() -> AsyncIterator[tuple[Replica, IncidentTeller, Callable[[], Awaitable[None]]]]:
    """A replica that does not lead yet, what tells for it, and what makes it lead."""
    supervisor, clock = Supervisor(), SystemClock()
    async with AsyncExitStack() as closing:
        replica = Replica(CollectorOptions(), IncidentLog(), {}, clock, closing)
        teller = IncidentTeller(NotifyOptions(), "", "", replica, supervisor, clock)
        closing.push_async_callback(supervisor.stop)

        async def lead() -> None:
            replica.start(supervisor, closing, teller.tell)
            await seen(replica.decides)

        yield replica, teller, lead


def scenario(work: Callable[[Telling], Awaitable[None]]) -> None:
    async def inside(pager: Pager) -> None:
        async with telling(pager) as made:
            await work(made)

    with Pager() as pager:
        run(inside(pager))


def test_what_is_handed_over_is_told_in_the_words_of_the_incident_that_comes_soon() -> None:
    async def work(made: Telling) -> None:
        assert await made.teller.hand_over(made.member(), told=False) is True
        made.teller.decided([made.incident()])
        await seen(lambda: made.pager.events)
        await seen(lambda: not made.replica.book.waiting)
        assert made.pager.events == ["incident.opened node-3"]
        (told,) = made.pager.told
        assert made.replica.book.records["aa"].same == told

    scenario(work)


def test_what_comes_after_the_incident_repeats_it() -> None:
    async def work(made: Telling) -> None:
        made.teller.decided([made.incident()])
        assert await made.teller.hand_over(made.member(), told=False) is True
        await seen(lambda: not made.replica.book.waiting)
        assert made.pager.events == ["incident.opened node-3"]

    scenario(work)


def test_what_was_told_without_a_collector_is_not_told_as_an_incident_too() -> None:
    async def work(made: Telling) -> None:
        made.teller.decided([made.incident()])
        await made.teller.hand_over(made.member(), told=True)
        made.teller.decided([made.incident("closed")])
        await seen(lambda: made.pager.events)
        assert made.pager.events == ["incident.closed node-3"]
        opened = next(one for one in made.replica.book.records.values() if one.notice.what is Condition.OPENED)
        assert opened.same == "aa"

    scenario(work)


def test_what_a_coordinator_told_because_no_answer_reached_it_is_not_told_again() -> None:
    async def work(made: Telling) -> None:
        assert await made.teller.hand_over(made.member(), told=False) is True
        assert await made.teller.hand_over(made.member(), told=True) is True
        other = Notice("dd", Condition.DEAD, "node-9", SystemClock().wall(), "", "node-9", component="node")
        await made.teller.hand_over(other, told=False)
        made.clock.ahead += LONG
        await seen(lambda: not made.replica.book.waiting)
        assert list(made.pager.told) == ["dd"]

    scenario(work)


def test_what_is_no_incident_is_told_a_little_later_and_its_repetition_is_not() -> None:
    async def work(made: Telling) -> None:
        for _ in range(2):
            assert await made.teller.hand_over(made.member(), told=False) is True
        doubt = Notice("bb", Condition.SUSPECT, "a", SystemClock().wall(), "", component="coordinator")
        await made.teller.hand_over(doubt, told=False)
        made.clock.ahead += LONG
        await seen(lambda: len(made.pager.told) == 2)
        assert made.pager.told == {"bb": ["member.suspect a"], "aa": ["member.dead a"]}
        made.teller.decided([made.incident()])
        assert not made.replica.book.waiting

    scenario(work)


@pytest.mark.parametrize("told", [False, True])
def test_who_has_no_receivers_remembers_what_others_tell_and_who_does_not_lead_says_nothing(told: bool) -> None:
    async def work() -> None:
        async with without_receivers() as (replica, teller, lead):
            notice = Notice("aa", Condition.DEAD, "a", 1.0, "")
            assert await teller.hand_over(notice, told=told) is None
            await lead()
            doubt = Notice("bb", Condition.SUSPECT, "a", 1.0, "", component="coordinator")
            for one in (notice, notice, doubt):
                assert await teller.hand_over(one, told=told) is False
            assert [(one.id, one.same, one.delivered is None) for one in replica.book.records.values()] == [
                ("aa", "", False)
            ]

    run(work())


@pytest.mark.parametrize("first", ["member", "incident"])
def test_without_receivers_what_is_an_incident_is_remembered_as_that(first: str) -> None:
    async def work() -> None:
        async with without_receivers() as (replica, teller, lead):
            await lead()
            incident = [dead_node(SystemClock().wall())]
            for turn in ("member", "incident") if first == "member" else ("incident", "member"):
                if turn == "member":
                    assert await teller.hand_over(dead_member(SystemClock().wall()), told=False) is False
                else:
                    teller.decided(incident)
            opened = next(one for one in replica.book.records.values() if one.notice.what is Condition.OPENED)
            assert (opened.same, replica.book.records["aa"].same) == ("", opened.id)

    run(work())


class Deposed(Replica):
    """Loses its leadership while it waits for others to hold what it keeps."""

    lost = False

    def decides(self) -> bool:
        """See `Replica`."""
        return super().decides() and not self.lost

    async def settled(self, patience: float) -> None:
        """See `Replica`."""
        await super().settled(patience)
        self.lost = True


def test_who_leads_no_more_once_a_notice_was_to_be_held_by_others_leaves_it_to_its_successor() -> None:
    async def work() -> None:
        async with AsyncExitStack() as closing:
            supervisor, clock = Supervisor(), SystemClock()
            replica = Deposed(CollectorOptions(), IncidentLog(), {}, clock, closing)
            notify = NotifyOptions(receivers=(ReceiverOptions(name="pager", url="http://127.0.0.1:9/"),))
            teller = IncidentTeller(notify, "prod", "", replica, supervisor, clock)
            closing.push_async_callback(supervisor.stop)
            replica.start(supervisor, closing, teller.tell)
            await seen(replica.decides)
            assert await teller.hand_over(Notice("aa", Condition.DEAD, "a", 1.0, ""), told=False) is None

    run(work())


def test_receivers_are_told_where_to_see_it_and_records_are_kept_without_the_address_of_today() -> None:
    async def work(made: Telling) -> None:
        made.teller.decided([made.incident()])
        doubt = Notice("bb", Condition.SUSPECT, "a", SystemClock().wall(), "", component="coordinator")
        gone = Notice("cc", Condition.GONE, "m", SystemClock().wall(), "", "node 4", members=("m",))
        for notice in (doubt, gone):
            await made.teller.hand_over(notice, told=False)
        made.clock.ahead += LONG
        await seen(lambda: len(made.pager.told) == 3)
        assert sorted(made.pager.pages) == [
            "https://sonar.example.org/incidents/00ff",
            "https://sonar.example.org/nodes/node%204",
            "https://sonar.example.org/now",
        ]
        assert {record.notice.page for record in made.replica.book.records.values()} == {""}

    scenario(work)


@pytest.mark.parametrize(
    ("notify", "why"),
    [
        (NotifyOptions(directory="/x"), "notify.directory: expected none"),
        (NotifyOptions(receivers=(ReceiverOptions(name="a", url="http://a/"),)), "cluster: expected a name"),
    ],
)
def test_what_does_not_fit_is_refused(notify: NotifyOptions, why: str) -> None:
    async def work() -> None:
        async with AsyncExitStack() as closing:
            replica = Replica(CollectorOptions(), IncidentLog(), {}, SystemClock(), closing)
            with pytest.raises(ConfigError, match=why):
                IncidentTeller(notify, "", "", replica, Supervisor(), SystemClock())

    run(work())


@pytest.mark.long
def test_coordinator_and_collector_tell_one_receiver_of_each_event_once(tmp_path: Path) -> None:
    port, agents = free_port(), {name: free_port() for name in "abc"}
    roster = members(tmp_path, agents)
    with Pager() as pager, ExitStack() as closing:
        receivers = {
            "receivers": [{"name": "pager", "url": pager.url}],
            "delivery": {"first": 0.1, "longest": 1.0},
        }

        def agent(name: str) -> RunningAgent:
            own: dict[str, Any] = tree(
                name,
                agents[name],
                roster,
                cluster={"name": "prod", "detect": False},
                reports={"to": [f"http://127.0.0.1:{port}"], "timeout": 1.0},
                notify=receivers,
            )
            return closing.enter_context(RunningAgent(tmp_path, name, **own))

        def collector() -> RunningCollector:
            return RunningCollector(
                tmp_path,
                port,
                reports={"auth": "none"},
                agents={"interval": 0.5},
                store={"kind": "sqlite", "directory": str(tmp_path)},
                cluster="prod",
                notify=receivers,
            )

        def events() -> list[str]:
            return [event for event in pager.events if not event.startswith("cluster.")]

        with collector() as first:
            agent("a"), agent("b")
            c = agent("c")
            until(lambda: health(first) == "good", LATE)
            until(lambda: any(event.startswith("cluster.") for event in pager.events), LATE)
            until(lambda: settled(first), LATE)
            before = len(events())
            c.process.kill()
            until(
                lambda: settled(first) and len({one["notice"]["what"] for one in notices(first)[:2]} & TWINS) == 2, 60
            )
            (told,) = events()[before:]
            assert told.split()[1] == "c"
        agent("c")
        until(lambda: "member.back c" in events()[before:], LATE)
        with collector() as second:
            until(lambda: settled(second) and {one["notice"]["what"] for one in notices(second)[:2]} == ENDS, LATE)
        assert events()[before:] == [told, "member.back c"]
        assert all(len(times) == 1 for times in pager.told.values())


LATE = 90.0
"""Seconds for what takes 10 on a machine that is not busy."""

TWINS = {"gone", "dead", "opened", "returned"}
ENDS = {"back", "closed"}


def health(of: RunningCollector) -> str:
    return str((of.document("/api/v1/verdict") or {}).get("verdict", {}).get("verdict", ""))


def settled(of: RunningCollector) -> bool:
    """Whether nothing waits to be told."""
    return all(one["delivered"] is not None for one in notices(of))


def notices(of: RunningCollector) -> list[dict[str, Any]]:
    page = of.document("/api/v1/notices") or {}
    return list(page.get("notices", []))
