"""Open trains are bounded."""

from __future__ import annotations

from kubesonar.core.wire.codec import Sender
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
