"""Open trains are bounded."""

from __future__ import annotations

from itertools import pairwise
from statistics import median_high

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.core.wire.codec import IS_FULL, WITH_FULL, Sender
from kubesonar.net.udp.train_records import OpenTrains, TrainRecord
from tests.net.rig import ASKER, KEY, accepted


def test_open_trains_are_bounded_and_the_oldest_goes_out_first() -> None:
    records: list[TrainRecord] = []
    arrivals = OpenTrains(records.append, limit=3)
    sender = Sender(ASKER, 1)
    for number in range(10):
        arrivals.add(accepted(sender.probe(KEY, number, 0, 8, 64)), ("192.0.2.1", 1), 4, 10**18, 0.0)
    assert len(arrivals) == 3
    assert [record.number for record in records] == list(range(7))


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=12))
def test_the_spacing_is_the_median_of_those_between_arrivals_as_they_came(stamps: list[int]) -> None:
    sender, arrivals = Sender(ASKER, 1), OpenTrains(lambda record: None)
    for sequence, stamp in enumerate(stamps):
        train = arrivals.add(accepted(sender.probe(KEY, 1, sequence, 99, 64)), ("192.0.2.1", 1), 4, stamp, 0.0)
    assert train.received == len(stamps)
    assert train.gap() == max(median_high(after - before for before, after in pairwise(stamps)), 0)


def recorded(*arriving: int, full: int = 2, count: int = 4) -> TrainRecord:
    """The record of a train of which these sequences arrived; `full` is the sequence that fills the path's MTU."""
    records: list[TrainRecord] = []
    arrivals = OpenTrains(records.append)
    sender = Sender(ASKER, 1)
    for sequence in arriving:
        big = sequence == full
        flags = WITH_FULL | (IS_FULL if big else 0)
        probe = accepted(sender.probe(KEY, 9, sequence, count, 1472 if big else 64, flags=flags))
        train = arrivals.add(probe, ("192.0.2.1", 1000 + sequence), 4, 10**18 + sequence, 0.0)
        arrivals.done(train, probe, answered=True)
    assert len(arrivals) == (0 if len(arriving) == count else 1)
    arrivals.flush()
    assert len(records) == 1
    return records[0]


@pytest.mark.parametrize(
    ("arriving", "received", "full"),
    [((0, 1, 2, 3), 3, 1500), ((2, 0, 1, 3), 3, 1500), ((0, 1, 3), 3, 0), ((0, 2), 1, 1500), ((2,), 0, 1500)],
)
def test_the_full_size_datagram_is_counted_apart(arriving: tuple[int, ...], received: int, full: int) -> None:
    record = recorded(*arriving)
    assert (record.announced, record.received, record.answered) == (3, received, received)
    assert (record.full, record.full_answered) == (full, full > 0)
    assert record.size == (64 if received else 0)
    assert sum(tally.received for tally in record.ports) == received
