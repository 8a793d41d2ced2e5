"""What a follower holds is what its leader holds, whatever was lost, late or older."""

from collections.abc import Collection
from typing import Any

import msgspec

from kubesonar.apps.collector.replicas.journal import Journal
from kubesonar.apps.collector.replicas.wire import Position, Push, Records
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog, IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeBook, NoticeRecord
from kubesonar.model import Condition, Finding, Notice

NOW = 1_700_000_000.0


def record(id: str, sentence: str = "it is dead") -> IncidentRecord:
    return IncidentRecord(1, id, Finding("node", id, "dead", NOW, 0.9, sentence), NOW, NOW, NOW)


def notice(of: IncidentRecord) -> NoticeRecord:
    told = Notice(f"n{of.id}", Condition.OPENED, of.finding.subject, NOW, of.finding.sentence, incident=of.id)
    return NoticeRecord(1, told)


class Holding:
    """A journal with its log, and what its store was given."""

    def __init__(self, name: str, *, shared: bool = False) -> None:
        self.log = IncidentLog()
        self.book = NoticeBook()
        self.stored: dict[str, IncidentRecord | NoticeRecord] = {}
        self.position = Position()
        self.journal = Journal(name, self.log, self.book, self._keep, shared=shared)

    def _keep(self, new: Records, gone: tuple[Collection[str], Collection[str]], position: Position) -> None:
        for id in (*gone[0], *gone[1]):
            del self.stored[id]
        self.stored.update({one.id: one for one in new.incidents})
        self.stored.update({one.id: one for one in new.notices})
        self.position = position

    def decide(self, *records: IncidentRecord) -> None:
        """As the judge does: the log holds what is decided, before it is kept, and each is told."""
        self.log.records |= {one.id: one for one in records}
        self.journal.append(Records(records, tuple(notice(one) for one in records)))

    def follow(self, leader: "Holding") -> int:
        """Take what the leader pushes; return how many incidents came."""
        held = None if self.journal.whole else self.journal.position
        pushes = list(leader.journal.since(held))
        for push in pushes:
            self.journal.take(push, NOW)
        return sum(len(push.records.incidents) for push in pushes)

    @property
    def all(self) -> tuple[Position, dict[str, IncidentRecord], dict[str, NoticeRecord], dict[str, Any]]:
        return self.journal.position, self.log.records, self.book.records, self.stored


def leader(term: int = 1, *records: IncidentRecord) -> Holding:
    made = Holding("leader")
    made.journal.begin(term)
    made.decide(*records)
    return made


def test_a_follower_gets_a_copy_first_and_then_what_changes() -> None:
    first, follower = leader(1, record("a")), Holding("follower")
    assert follower.follow(first) == 1
    assert follower.all == first.all
    first.decide(record("b"))
    first.decide(record("b", "it is frozen"), record("c"))
    assert follower.follow(first) == 2
    assert follower.all == first.all
    assert follower.follow(first) == 0
    assert follower.position == first.position == Position(1, 3)


def test_a_copy_takes_the_place_of_everything_that_a_follower_held() -> None:
    follower = Holding("follower")
    follower.journal.begin(1)
    follower.decide(record("never told"))
    successor = leader(2, record("a"))
    follower.follow(successor)
    assert follower.all == successor.all
    assert set(follower.stored) == {"a", "na"}


def test_a_copy_of_many_pages_counts_once_it_is_whole_and_is_not_mixed_with_another() -> None:
    first = leader(1, *(record(f"{number}", "x" * 60_000) for number in range(50)))
    pages = list(first.journal.copy())
    assert len(pages) > 2
    follower = Holding("follower")
    for page in pages[:-1]:
        follower.journal.take(page, NOW)
        assert (follower.log.records, follower.book.records) == ({}, {})
    other = msgspec.structs.replace(pages[-1], position=Position(1, 9))
    follower.journal.take(other, NOW)
    assert follower.log.records == {}
    for page in pages:
        follower.journal.take(page, NOW)
    assert follower.all == first.all


def test_pages_that_are_lost_or_come_in_another_order_count_for_nothing() -> None:
    first = leader(1, *(record(f"{number}", "x" * 60_000) for number in range(50)))
    pages = list(first.journal.copy())
    for order in (pages[1:], [pages[0], *pages[2:]], [pages[1], pages[0], *pages[2:]]):
        follower = Holding("follower")
        for page in order:
            follower.journal.take(page, NOW)
        assert follower.journal.whole


def test_what_does_not_follow_on_what_is_held_is_not_taken() -> None:
    first, follower = leader(1, record("a")), Holding("follower")
    follower.follow(first)
    gap = Push(1, "leader", Position(1, 9), Position(1, 8), records=Records((record("b"),)))
    follower.journal.take(gap, NOW)
    assert follower.all == first.all


def test_who_lacks_more_than_is_held_gets_a_copy() -> None:
    first, follower = leader(1, record("a")), Holding("follower")
    follower.follow(first)
    for number in range(400):
        first.decide(record("b", f"{number}"))
    assert follower.follow(first) == 2
    assert follower.all == first.all


def test_a_successor_that_held_everything_needs_no_copy_to_be_followed() -> None:
    first, second, third = leader(1, record("a")), Holding("second"), Holding("third")
    second.follow(first)
    third.follow(first)
    second.journal.begin(2)
    second.decide(record("b"))
    assert third.follow(second) == 1
    assert third.all == second.all


def test_after_a_start_the_store_may_hold_more_than_its_position_says_so_that_a_copy_is_needed() -> None:
    follower = Holding("follower")
    follower.journal.loaded(Position(1, 1))
    assert follower.journal.whole
    follower.journal.take(Push(1, "leader", Position(1, 2), Position(1, 1), records=Records((record("b"),))), NOW)
    assert follower.log.records == {}


def test_a_store_that_is_shared_is_written_to_by_the_leader_alone() -> None:
    first, follower = leader(1, record("a")), Holding("follower", shared=True)
    follower.follow(first)
    assert set(follower.log.records) == {"a"}
    assert follower.stored == {}
