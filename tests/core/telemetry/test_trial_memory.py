import msgspec
import pytest

from kubesonar.core.telemetry.trial_memory import PAST, TrialMemory
from kubesonar.model import Check, Fault, Kernel, Kind, Network, Observation, Path, Side, Train, Trouble

CHECK = Check("udp/pod/peer/v4", Kind.UDP, Path.POD, "peer", "10.0.0.2")


def train(at: float, received: int = 8, **more: object) -> Observation:
    seen = Train(number=int(at), seen=8)
    made = Observation(CHECK, "me", Network.POD, at=at, sent=8, received=received, train=seen)
    return msgspec.structs.replace(made, **more)


def remembered(
    *observations: Observation, excused: tuple[float, ...] = (), troubles: tuple[Trouble, ...] = ()
) -> TrialMemory:
    memory = TrialMemory(60.0, 256)
    for each in observations:
        memory.add(each, slow=False, excused=each.at in excused, troubles=troubles)
    return memory


def counted(memory: TrialMemory, now: float) -> list[tuple[float, int, list[float]]]:
    return [(past.at, past.trials, [trial.at for trial in past.bad]) for past in memory.minutes(now)]


def test_what_leaves_the_long_window_is_counted_by_the_minute_and_bad_trials_are_kept_whole() -> None:
    memory = remembered(*(train(1200.0 + second, 7 if second == 30 else 8) for second in range(0, 190, 10)))
    assert [trial.at for trial in memory.trials()] == [1320.0, 1330.0, 1340.0, 1350.0, 1360.0, 1370.0, 1380.0]
    assert counted(memory, 1380.0) == [(1200.0, 6, [1230.0]), (1260.0, 6, [])]
    ((bad,),) = (past.bad for past in memory.minutes(1380.0) if past.bad)
    assert (bad.number, bad.sent, bad.received) == (1230, 8, 7)


@pytest.mark.parametrize(
    "bad",
    [
        train(1200.0, 7),
        train(1200.0, 0, fault=Fault.TIMEOUT),
        train(1200.0, 5, side=Side.RESPONDER),
    ],
)
def test_bad_is_what_failed_or_lost_datagrams(bad: Observation) -> None:
    memory = remembered(bad, train(1210.0), train(1300.0))
    assert counted(memory, 1300.0) == [(1200.0, 2, [1200.0])]


def test_a_responder_that_answered_less_than_it_received_saw_a_whole_train() -> None:
    memory = remembered(train(1200.0, sent=3, side=Side.RESPONDER), train(1300.0, side=Side.RESPONDER))
    assert counted(memory, 1300.0) == [(1200.0, 1, [])]


def test_announced_silence_and_own_trouble_are_not_counted() -> None:
    silent = [train(1200.0 + second, 0, fault=Fault.TIMEOUT) for second in range(0, 60, 10)]
    well = [train(1260.0 + second) for second in range(0, 130, 10)]
    announced = remembered(*silent, *well, excused=tuple(each.at for each in silent))
    assert counted(announced, 1380.0) == [(1260.0, 6, [])]
    starved = remembered(*silent, *well, troubles=(Trouble(1200.0, 1255.0, "starved"),))
    assert counted(starved, 1380.0) == [(1260.0, 6, [])]
    lasting = remembered(*silent, *well, troubles=(Trouble(1200.0, None, "starved"),))
    assert counted(lasting, 1380.0) == []


def test_what_leaves_while_silence_is_announced_is_not_counted_though_the_roster_was_late() -> None:
    silent = [train(1200.0 + second, 0, fault=Fault.TIMEOUT) for second in range(0, 130, 10)]
    late = tuple(each.at for each in silent if each.at >= 1250.0)
    assert counted(remembered(*silent, excused=late), 1320.0) == []


def test_faults_that_accuse_nobody_are_not_counted() -> None:
    assert counted(remembered(train(1200.0, 0, fault=Fault.LOCAL), train(1300.0)), 1300.0) == []


def test_the_past_ends() -> None:
    memory = remembered(*(train(1200.0 + second) for second in range(0, 2400, 20)))
    past = memory.minutes(3580.0)
    assert past[0].at >= 3580.0 - PAST
    assert len(past) == 14
    assert memory.minutes(9000.0) == ()


def test_minutes_before_a_time_are_left_out_and_the_oldest_is_told_all_the_same() -> None:
    memory = remembered(*(train(1200.0 + second, 7) for second in range(0, 600, 20)))
    assert [minute.at for minute in memory.minutes(1780.0, since=1620.0)] == [1620.0, 1680.0]
    assert memory.minutes(1780.0, since=1800.0) == ()
    assert memory.oldest(1780.0) == memory.minutes(1780.0)[0].at == 1200.0
    assert memory.oldest(9000.0) == 0.0


def test_of_an_edge_that_is_dead_only_so_much_is_kept_that_what_is_kept_is_complete() -> None:
    memory = remembered(*(train(1200.0 + second, 0, fault=Fault.TIMEOUT) for second in range(900)))
    past = memory.minutes(2099.0)
    assert sum(each.trials for each in past) == sum(len(each.bad) for each in past) <= 64


@pytest.mark.parametrize("start", [1200, 1230])
def test_a_minute_with_more_bad_trials_than_are_kept_does_not_begin_again_half_way(start: int) -> None:
    times = [1140.0 + number / 4 for number in range(4 * 300 + 1)]
    memory = remembered(*(train(at, 7 if start <= at < start + 20 else 8) for at in times))
    assert counted(memory, times[-1]) == [(1260.0, 240, []), (1320.0, 240, [])]


def test_a_wall_clock_set_back_leaves_nothing_from_the_future() -> None:
    memory = remembered(*(train(5000.0 + second) for second in range(0, 120, 10)), train(1400.0))
    assert [trial.at for trial in memory.trials()] == [1400.0]
    assert memory.minutes(1400.0) == ()


@pytest.mark.parametrize(
    ("kind", "kernel", "syns"),
    [
        (Kind.TCP, Kernel(), 1),
        (Kind.TCP, Kernel(retransmits=2), 3),
        (Kind.TCP, None, 0),
        (Kind.HTTP, Kernel(retransmits=2), 0),
    ],
)
def test_of_a_handshake_it_is_kept_how_many_syns_it_took(kind: Kind, kernel: Kernel | None, syns: int) -> None:
    check = Check("peer", kind, Path.POD, "peer", "10.0.0.2", 7473)
    made = Observation(check, "me", Network.POD, at=1200.0, received=1, kernel=kernel)
    (trial,) = remembered(made).trials()
    assert (trial.seen, trial.sent, trial.received) == (syns, 1, 1)
