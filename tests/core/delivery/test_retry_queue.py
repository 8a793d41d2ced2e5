"""The patience with one receiver, in virtual time."""

import random
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from kubesonar.core.delivery.http_outcome import Blame, Outcome
from kubesonar.core.delivery.retry_queue import (
    DeliveryOptions,
    DeliveryQueued,
    DeliveryTried,
    Forget,
    RetryQueue,
    TryDelivery,
)

HOUR = 3600.0
DELIVERED = Outcome(200)
DOWN = Outcome(detail="refused")

Answer = Callable[[float, int], Outcome]


class World:
    """A receiver that takes a tenth of a second to answer as `answer(now, seq)` says."""

    def __init__(self, answer: Answer, options: DeliveryOptions | None = None, seed: int = 0) -> None:
        self.machine = RetryQueue(options or DeliveryOptions(), random.Random(seed))
        self.answer = answer
        self.now = 0.0
        self.sent: list[tuple[float, int]] = []
        self.forgotten: list[tuple[int, str]] = []
        self.under_way: list[tuple[float, int]] = []
        self.most = 0

    def tell(self, seq: int, subject: str) -> None:
        self._act(self.machine.step(self.now, DeliveryQueued(seq, subject, self.now)))

    def run(self, until: float) -> None:
        while True:
            due = self.machine.due
            answered = min(self.under_way)[0] if self.under_way else None
            at = min((time for time in (due, answered) if time is not None), default=until + 1)
            if at > until:
                break
            self.now = max(self.now, at)
            if answered is not None and answered <= self.now:
                _, seq = self.under_way.pop(self.under_way.index(min(self.under_way)))
                self._act(self.machine.step(self.now, DeliveryTried(seq, self.answer(self.now, seq))))
            else:
                self._act(self.machine.step(self.now))
        self.now = until

    def _act(self, actions: list[TryDelivery | Forget]) -> None:
        for action in actions:
            if isinstance(action, TryDelivery):
                self.sent.append((self.now, action.seq))
                self.under_way.append((self.now + 0.1, action.seq))
                self.most = max(self.most, len(self.under_way))
            else:
                self.forgotten.append((action.seq, action.dropped))


def test_what_is_told_is_sent_at_once() -> None:
    world = World(lambda now, seq: DELIVERED)
    world.tell(1, "a")
    assert world.sent == [(0.0, 1)]
    world.run(1)
    assert world.forgotten == [(1, "")]
    assert world.machine.due is None


def test_notices_of_one_subject_go_one_after_the_other_and_others_meanwhile() -> None:
    world = World(lambda now, seq: DELIVERED)
    for seq, subject in enumerate("aaab", 1):
        world.tell(seq, subject)
    assert [seq for _, seq in world.sent] == [1, 4]
    world.run(1)
    assert [seq for _, seq in world.sent] == [1, 4, 2, 3]


def test_an_hour_of_a_dead_receiver_loses_nothing_and_floods_nobody() -> None:
    world = World(lambda now, seq: DOWN if now < HOUR else DELIVERED)
    for seq in range(1, 101):
        world.tell(seq, f"member-{seq % 50}")
    world.run(HOUR)
    assert len(world.sent) < 250
    world.run(HOUR + 61)
    assert sorted(world.forgotten) == [(seq, "") for seq in range(1, 101)]
    of_one = [seq for seq, _ in world.forgotten if seq % 50 == 7]
    assert of_one == sorted(of_one)


def test_a_receiver_in_trouble_is_tried_one_at_a_time() -> None:
    world = World(lambda now, seq: Outcome(503))
    for seq in range(1, 51):
        world.tell(seq, str(seq))
    world.run(1)
    world.most = 0
    world.run(HOUR)
    assert world.most == 1


def test_what_a_receiver_refuses_does_not_hold_up_others() -> None:
    world = World(lambda now, seq: Outcome(500) if seq == 1 else DELIVERED)
    world.tell(1, "poison")
    world.run(HOUR)
    world.tell(2, "other")
    assert world.sent[-1] == (HOUR, 2)
    world.run(HOUR + 1)
    assert (2, "") in world.forgotten


def test_a_receiver_that_refuses_everything_is_asked_seldom() -> None:
    world = World(lambda now, seq: Outcome(401))
    for seq in range(1, 501):
        world.tell(seq, str(seq))
    world.run(HOUR)
    assert {seq for _, seq in world.sent} == set(range(1, 501))
    assert len(world.sent) < 500 + 1000
    assert world.forgotten == []


def test_content_that_is_refused_is_dropped_after_a_few_tries() -> None:
    world = World(lambda now, seq: Outcome(422) if seq == 1 else DELIVERED)
    world.tell(1, "a")
    world.tell(2, "a")
    world.run(HOUR)
    assert world.forgotten == [(1, "status_422"), (2, "")]
    assert [seq for _, seq in world.sent] == [1, 1, 1, 2]


def test_a_receiver_may_ask_for_time_within_bounds() -> None:
    for asked, least, most in ((120.0, 120, 121), (1e9, 600, 661)):
        world = World(lambda now, seq, asked=asked: Outcome(429, retry_after=asked) if now < 1 else DELIVERED)  # type: ignore[misc]
        world.tell(1, "a")
        world.tell(2, "b")
        world.run(2 * HOUR)
        assert least <= world.sent[2][0] <= most


def test_what_is_too_old_is_given_up_but_not_while_it_is_tried() -> None:
    world = World(lambda now, seq: DOWN, DeliveryOptions(keep=300))
    world.tell(1, "a")
    world.run(299)
    assert world.forgotten == []
    world.run(301)
    assert world.forgotten == [(1, "expired")]
    assert world.machine.due is None


def test_beyond_the_bound_the_oldest_that_waits_is_dropped() -> None:
    world = World(lambda now, seq: DELIVERED, DeliveryOptions(pending=3, parallel=1))
    for seq in range(1, 7):
        world.tell(seq, "a")
    assert world.forgotten == [(2, "overflow"), (3, "overflow"), (4, "overflow")]
    world.run(1)
    assert [seq for seq, why in world.forgotten if not why] == [1, 5, 6]


def test_entries_found_late_still_go_before_newer_ones_of_their_subject() -> None:
    world = World(lambda now, seq: DOWN if now < 10 else DELIVERED)
    world.tell(5, "a")
    world.run(1)
    world.tell(3, "a")
    world.run(HOUR)
    assert [seq for seq, _ in world.forgotten] == [3, 5]


def test_whose_trouble_a_failure_is() -> None:
    assert {Outcome(status).blame for status in (0, 408, 425, 429, 502, 503, 504)} == {Blame.RECEIVER}
    assert {Outcome(status).blame for status in (301, 307, 401, 403, 404, 410, 500)} == {Blame.DELIVERY}
    assert {Outcome(status).blame for status in (400, 409, 413, 415, 422)} == {Blame.CONTENT}
    assert [status for status in range(600) if Outcome(status).delivered] == list(range(200, 300))


STATUSES = st.sampled_from([0, 200, 200, 204, 301, 400, 404, 429, 500, 503])


@given(
    seed=st.integers(0, 2**32),
    told=st.lists(st.tuples(st.floats(0, 100), st.sampled_from("abcd")), max_size=40),
    answers=st.lists(STATUSES, min_size=1, max_size=50),
)
def test_whatever_the_answers_everything_ends_in_order_and_within_its_time(
    seed: int, told: list[tuple[float, str]], answers: list[int]
) -> None:
    tries = iter(range(10**9))
    options = DeliveryOptions(keep=500, parallel=2)
    world = World(lambda now, seq: Outcome(answers[next(tries) % len(answers)]), options, seed)
    subjects = {}
    for seq, (pause, subject) in enumerate(told, 1):
        world.run(world.now + pause)
        world.tell(seq, subject)
        subjects[seq] = subject
    world.run(world.now + 1000)
    assert len(world.machine) == 0
    assert sorted(seq for seq, _ in world.forgotten) == sorted(subjects)
    assert world.most <= 2
    for subject in "abcd":
        delivered = [seq for seq, why in world.forgotten if not why and subjects[seq] == subject]
        assert delivered == sorted(delivered)
