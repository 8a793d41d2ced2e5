"""What a train says, from stamps made up here."""

from __future__ import annotations

import errno

import pytest

from kubesonar.core.wire.codec import HOLD_LIMIT, Datagram, DatagramType
from kubesonar.model import Fault, StampSource
from kubesonar.net.kernel.cmsg import NetError
from kubesonar.net.udp.train import SentTrain

MS = 1_000_000
WALL = 1_700_000_000_000 * MS


def on_the_way(count: int = 4, spacing: int = MS // 100, stamps: bool = True) -> SentTrain:
    """A train sent at monotonic 0 (and wall `WALL`) with a deadline of one second."""
    train = SentTrain(("192.0.2.1", 7), 4, 1, count, 64)
    train.began, train.deadline, train.wall_deadline = WALL, 1000 * MS, WALL + 1000 * MS
    train.sent = count
    for sequence in range(count):
        train.ports[sequence] = 1000 + sequence % 2
        train.sent_at[sequence] = sequence * spacing
        train.left[sequence] = WALL + sequence * spacing if stamps else 0
    return train


def echo(sequence: int, hold: int = 0, seen: int = 0, gap: int = 0) -> Datagram:
    return Datagram(DatagramType.ECHO, 2, 0, 0, b"", 1, sequence, 1, sequence, 8, 64, hold, seen, gap)


def test_the_round_trip_is_by_the_kernel_less_the_responders_hold() -> None:
    train = on_the_way()
    train.note_answer(echo(0, hold=3 * MS), WALL + 5 * MS, 50 * MS)
    result = train.result()
    assert result.clock is StampSource.KERNEL
    assert list(result.rtts) == pytest.approx([0.002])


def test_without_any_stamp_our_own_clock_counts() -> None:
    train = on_the_way()
    train.note_answer(echo(0, hold=3 * MS), None, 50 * MS)
    result = train.result()
    assert (result.clock, result.received) == (StampSource.USER, 1)
    assert list(result.rtts) == pytest.approx([0.047])


def test_an_answer_that_lay_waiting_is_measured_until_the_kernel_had_it_also_where_its_sending_was_not_stamped() -> (
    None
):
    train = on_the_way()
    train.left[0] = 0
    train.deadline, train.wall_deadline = 1000 * MS, WALL + 1000 * MS
    train.note_answer(echo(0, hold=3 * MS), WALL + 5 * MS, 120 * MS)
    result = train.result()
    assert result.clock is StampSource.USER
    assert list(result.rtts) == pytest.approx([0.002])


@pytest.mark.parametrize("stamp", [WALL + 3600_000 * MS, WALL - 10 * MS])
def test_a_stamp_that_cannot_be_true_measures_nothing(stamp: int) -> None:
    train = on_the_way()
    train.note_answer(echo(0, hold=3 * MS), stamp, 50 * MS)
    result = train.result()
    assert (result.received, result.rtts) == (1, ())


def test_kernel_and_user_round_trips_are_never_mixed() -> None:
    train = on_the_way()
    train.note_answer(echo(0), WALL + MS, 50 * MS)
    train.note_answer(echo(1), None, 50 * MS)
    assert len(train.result().rtts) == 1


def test_an_answer_held_longer_than_can_be_said_gives_no_round_trip() -> None:
    train = on_the_way()
    train.note_answer(echo(0, hold=HOLD_LIMIT), WALL + 900 * MS, 950 * MS)
    result = train.result()
    assert (result.received, result.rtts) == (1, ())


def test_what_the_kernel_had_in_time_counts_however_late_it_is_read() -> None:
    train = on_the_way()
    train.note_answer(echo(0), WALL + 999 * MS, 3000 * MS)
    train.note_answer(echo(1), WALL + 1001 * MS, 3000 * MS)
    train.note_answer(echo(2), None, 3000 * MS)
    result = train.result()
    assert (result.received, result.train.late) == (1, 2)


def test_duplicates_and_overtaken_answers_are_counted_by_arrival() -> None:
    train = on_the_way()
    for sequence, arrival in ((2, 3), (0, 4), (0, 5), (1, 1), (3, 9)):
        train.note_answer(echo(sequence), WALL + arrival * MS, 20 * MS)
    result = train.result()
    assert (result.received, result.train.duplicates, result.train.reordered) == (4, 1, 1)


def test_answers_are_tallied_by_source_port() -> None:
    train = on_the_way()
    train.note_answer(echo(1), WALL + MS, MS)
    tallies = [(tally.port, tally.sent, tally.received) for tally in train.result().train.ports]
    assert tallies == [(1000, 2, 0), (1001, 2, 1)]


def test_what_was_never_sent_cannot_be_answered() -> None:
    train = on_the_way()
    train.ports[3] = 0
    train.note_answer(echo(3), WALL + MS, MS)
    train.note_answer(echo(7), WALL + MS, MS)
    assert train.result().received == 0


def test_a_bottleneck_shows_in_the_spacing_at_the_far_end() -> None:
    train = on_the_way()
    train.note_answer(echo(3, seen=4, gap=7360), WALL + 2 * MS, 3 * MS)
    assert train.result().train.rate == pytest.approx(1e6)


@pytest.mark.parametrize(
    ("seen", "gap", "spacing"),
    [(3, 7360, MS // 100), (4, 0, MS // 100), (4, 7360, MS // 2), (4, 60, 1000)],
    ids=["too short", "no spacing", "sent as widely", "too fast to tell"],
)
def test_no_rate_is_told_where_the_spacing_is_our_own(seen: int, gap: int, spacing: int) -> None:
    train = on_the_way(spacing=spacing)
    train.note_answer(echo(3, seen=seen, gap=gap), WALL + 2 * MS, 3 * MS)
    assert train.result().train.rate is None


def faulted(**state: object) -> Fault | None:
    train = on_the_way()
    for name, value in state.items():
        setattr(train, name, value)
    return train.result().fault()[0]


def test_each_cause_has_its_fault() -> None:
    assert faulted() is Fault.TIMEOUT
    assert faulted(starved=0.5) is Fault.LOCAL
    assert faulted(mismatch=True, starved=0.5) is Fault.MISMATCH
    assert faulted(errors=[NetError(errno.ECONNREFUSED, False)]) is Fault.REFUSED
    assert faulted(errors=[NetError(errno.EHOSTUNREACH, False, "192.0.2.9")]) is Fault.UNREACHABLE
    assert faulted(errors=[NetError(errno.ENOBUFS, True)]) is Fault.LOCAL
    assert faulted(errors=[NetError(errno.EPERM, True)]) is Fault.NOT_PERMITTED
    assert faulted(answered={0: 1}) is None
    assert faulted(answered={0: 1}, mismatch=True) is None
    assert faulted(answered={0: 1}, starved=0.5) is Fault.LOCAL
    assert faulted(answered=dict.fromkeys(range(4), 1), starved=0.5) is None


def test_who_said_so_is_named() -> None:
    train = on_the_way()
    train.note_error(NetError(errno.EHOSTUNREACH, False, "192.0.2.9"))
    assert "192.0.2.9" in train.result().fault()[1]
