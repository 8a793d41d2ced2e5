"""What a coordinator leaves to the next one."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from kubesonar.apps.collector.replicas.succession import CoordinatorSuccession
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog, IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeBook, NoticeRecord
from kubesonar.core.telemetry.reports.report import MOST_KEPT, digest_of_kept
from kubesonar.model import Condition, Finding, Health, Notice, Verdict
from tests.clocks import TurnedClock
from tests.virtual_time import now, run_virtually

SICK = Finding("node", "node-3", "cut", None, 0.9, "node-3 is cut off")


class Coordinator:
    """What one knows."""

    def __init__(self, clock: TurnedClock | None = None) -> None:
        self.clock = clock or TurnedClock()
        self.log = IncidentLog()
        self.book = NoticeBook()
        self.agents: set[str] = set()
        self.succession = CoordinatorSuccession(self.log, self.book, self.clock, lambda: self.agents)

    def keep(self, id: str, *, closed: float | None = None, sentence: str = "node-3 is cut off") -> IncidentRecord:
        """Remember an incident, and a notice about it that is delivered unless it is open."""
        now = self.clock.wall()
        finding = msgspec.structs.replace(SICK, subject=id, sentence=sentence)
        record = self.log.records[id] = IncidentRecord(1, id, finding, now, now, now, closed)
        told = Notice(f"n{id}", Condition.OPENED, id, now, sentence, incident=id)
        self.book.take([NoticeRecord(1, told, closed)])
        self.succession.refresh()
        return record


def test_the_next_one_goes_on_with_the_same_ids_and_tells_what_was_not_delivered() -> None:
    first = Coordinator()
    first.keep("aa", closed=first.clock.wall())
    open_one = first.keep("bb")
    second = Coordinator()
    second.succession.offer(first.succession.text)
    taken = second.succession.take_over()
    assert [(one.id, one.delivered is None) for one in taken] == [("naa", False), ("nbb", True)]
    assert list(second.log.records) == ["aa", "bb"]
    assert second.book.records.keys() == {"naa", "nbb"}
    verdict = Verdict(Health.BAD, "", second.clock.wall(), findings=(open_one.finding,))
    assert [one for one in second.log.step(second.clock.wall(), verdict) if one.id != "bb"] == []


def test_what_was_left_last_counts_whoever_shows_it_first() -> None:
    clock = TurnedClock()
    first = Coordinator(clock)
    first.keep("aa")
    before = first.succession.text
    clock.ahead += 10
    first.keep("bb")
    for shown in ([before, first.succession.text], [first.succession.text, before]):
        second = Coordinator()
        for text in shown:
            second.succession.offer(text)
        second.succession.take_over()
        assert list(second.log.records) == ["aa", "bb"]


def test_the_text_changes_only_with_what_is_known() -> None:
    one = Coordinator()
    assert (one.succession.text, one.succession.digest) == ("", "")
    one.keep("aa")
    text = one.succession.text
    one.clock.ahead += 10
    one.succession.refresh()
    assert one.succession.text == text
    assert one.succession.digest == digest_of_kept(text)


def test_what_has_long_been_over_is_not_left() -> None:
    one = Coordinator()
    one.keep("aa", closed=one.clock.wall())
    one.keep("bb")
    one.clock.ahead += 4000
    one.succession.refresh()
    second = Coordinator()
    second.succession.offer(one.succession.text)
    assert [record.id for record in second.succession.take_over()] == ["nbb"]
    assert list(second.log.records) == ["bb"]


def test_many_incidents_fit_and_the_latest_are_left() -> None:
    one = Coordinator()
    for number in range(2000):
        now = one.clock.wall() + number
        finding = msgspec.structs.replace(SICK, subject=f"node-{number}", sentence=150 * "é")
        one.log.records[f"{number}"] = IncidentRecord(1, f"{number}", finding, now, now, now)
        told = Notice(f"n{number}", Condition.OPENED, f"node-{number}", now, 150 * "é")
        one.book.records[f"n{number}"] = NoticeRecord(1, told)
    one.succession.refresh()
    assert len(one.succession.text) < MOST_KEPT
    second = Coordinator()
    second.succession.offer(one.succession.text)
    assert second.succession.take_over()[-1].id == "n1999"
    assert list(second.log.records)[-1] == "1999"


def test_what_is_known_is_settled_once_all_agents_that_report_have_got_it() -> None:
    async def work() -> list[bool]:
        one = Coordinator()
        one.agents = {"a", "b"}
        one.keep("aa")
        settled = asyncio.create_task(one.succession.settled(1000.0))
        found = []
        for name in ("a", "b"):
            await asyncio.sleep(1.0)
            found.append(settled.done())
            one.succession.given(name)
        await settled
        one.keep("bb")  # which nobody has got yet
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await one.succession.settled(1000.0)
        one.agents = set()
        await one.succession.settled(1000.0)
        return found

    assert run_virtually(work()) == [False, False]


def test_who_gets_nothing_is_waited_for_so_long() -> None:
    async def work() -> float:
        one = Coordinator()
        one.agents = {"a"}
        one.keep("aa")
        await one.succession.settled(3.0)
        return now()

    assert run_virtually(work()) == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize(
    "text", ["", "x", "{}", '{"schema":9,"at":1,"records":{}}', '{"schema":1,"at":1e99}', "\ud800"]
)
def test_what_is_none_is_passed_over(text: str) -> None:
    one = Coordinator()
    one.succession.offer(text)
    assert one.succession.take_over() == ()
