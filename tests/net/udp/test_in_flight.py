"""What an engine remembers of what it sent, and for how long."""

from __future__ import annotations

from kubesonar.net.udp.in_flight import FALLBACK, LATE_ANSWER_WAIT, InFlight, PeerVersions
from kubesonar.net.udp.train import SentTrain

PEER = ("192.0.2.1", 7)


def sent(outstanding: InFlight, first: int, answered: int = 0, count: int = 8) -> list[int]:
    """A train under way, of which the first few were answered."""
    train = SentTrain(PEER, 4, 1, count, 64)
    train.ports = [1000] * count
    train.answered = dict.fromkeys(range(answered), 1)
    counters = list(range(first, first + count))
    outstanding.add(counters, train, range(count))
    return counters


def test_of_an_answered_train_nothing_is_kept() -> None:
    outstanding = InFlight()
    counters = sent(outstanding, 1, answered=8)
    assert outstanding.find(8)[1] == 7
    outstanding.end(counters, 0.0)
    assert len(outstanding) == 0
    assert outstanding.find(8) == (None, 0)


def test_what_was_missing_is_late_once_and_only_for_a_while() -> None:
    outstanding = InFlight()
    outstanding.end(sent(outstanding, 1, answered=6), 0.0)
    assert [outstanding.late(counter) for counter in (1, 7, 7)] == [False, True, False]
    outstanding.end(sent(outstanding, 20, answered=8), LATE_ANSWER_WAIT + 1)
    assert not outstanding.late(8)


def test_silence_everywhere_is_remembered_within_bounds() -> None:
    outstanding = InFlight()
    for number in range(1, 10_000):
        outstanding.end(sent(outstanding, number * 8), 0.0)
    assert len(outstanding) == 65_536


def test_an_older_peer_is_asked_in_its_version_for_a_while() -> None:
    versions = PeerVersions(speak=3)
    versions.newest(PEER, 2, now=0.0)
    assert versions.of(PEER, 1.0) == 2
    assert versions.of(("192.0.2.2", 7), 1.0) == 3
    assert versions.of(PEER, FALLBACK + 1) == 3


def test_a_version_not_spoken_here_changes_nothing() -> None:
    versions = PeerVersions(speak=3)
    for version in (0, 1, 3, 4, 255):
        versions.newest(PEER, version, now=0.0)
    assert versions.of(PEER, 1.0) == 3
