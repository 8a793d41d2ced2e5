"""What this process suffers becomes troubles in the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesonar.core.telemetry.ledger import Ledger, LedgerOptions
from kubesonar.core.telemetry.self_health import SelfHealthOptions
from kubesonar.model import Check, Kind, Member, Network, Observation, Saturation
from kubesonar.model import Path as Way
from kubesonar.runtime.self_monitor import SelfMonitor

HEALTH = SelfHealthOptions(lag=0.5, throttled=0.5, calm=2.0)


class Hands:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def wall(self) -> float:
        return self.now

    def mono(self) -> float:
        return self.now


def ledger() -> Ledger:
    return Ledger(Member("me", "me", (), 7473), 0.0, LedgerOptions())


def test_a_lag_is_a_trouble_and_the_worst_one_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    kept = ledger()
    monitor = SelfMonitor(HEALTH, kept, Hands())
    for late in (0.1, 3.0, 0.2, 1.0):
        monitor.lag(late)
    (trouble,) = kept.troubles
    assert (trouble.since, trouble.until, monitor.troubles) == (997.0, None, 1)
    assert [monitor.take_worst_lag(), monitor.take_worst_lag()] == [3.0, 0.0]
    assert [record.getMessage() for record in caplog.records] == ["cannot trust own measurements"]


def test_loss_on_the_own_loopback_is_a_trouble() -> None:
    kept = ledger()
    monitor = SelfMonitor(HEALTH, kept, Hands())
    train = Check("udp/loopback/self", Kind.UDP, Way.LOOPBACK, "me", "127.0.0.1", timeout=1.0)
    monitor.loopback(Observation(train, "me", Network.POD, 1000.0, sent=8, received=8))
    assert not kept.troubles
    monitor.loopback(Observation(train, "me", Network.POD, 1000.0, sent=8, received=5))
    assert [trouble.cause for trouble in kept.troubles] == ["lost 3 of 8 datagrams on its own loopback"]


def test_throttling_is_read_from_the_cgroup_and_passed_on(tmp_path: Path) -> None:
    stat = tmp_path / "sys/fs/cgroup/cpu.stat"
    stat.parent.mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/\n")
    stat.write_text("nr_periods 100\nnr_throttled 0\n")
    shares: list[float] = []
    kept, clock = ledger(), Hands()
    monitor = SelfMonitor(HEALTH, kept, clock, shares.append, root=str(tmp_path))
    stat.write_text("nr_periods 150\nnr_throttled 45\n")
    for _ in range(12):
        clock.now += 0.5
        monitor.beat(0.0)
    assert shares == [0.9]
    (trouble,) = kept.troubles
    assert (trouble.cause, trouble.since) == ("throttled in 90% of CPU periods by its cgroup's limit", 1000.0)
    clock.now += 10
    monitor.beat(0.0)
    (trouble,) = kept.troubles
    assert trouble.until == 1006.0


def test_the_kernels_counters_are_read_now_and_then(tmp_path: Path) -> None:
    backlog = tmp_path / "proc/net/softnet_stat"
    backlog.parent.mkdir(parents=True)
    backlog.write_text("00000001 00000005\n")
    clock = Hands()
    monitor = SelfMonitor(HEALTH, ledger(), clock, root=str(tmp_path))
    monitor.beat(0.0)
    backlog.write_text("00000001 00000007\n")
    for _ in range(25):
        clock.now += 0.5
        monitor.beat(0.0)
    assert monitor.saturation.recent == Saturation(1012.5, 12.5, softnet_drops=2)


def test_what_was_dropped_since_the_last_beat_is_a_trouble() -> None:
    dropped = {"datagrams": 0, "connections": 0}
    kept, clock = ledger(), Hands()
    monitor = SelfMonitor(HEALTH, kept, clock, lost=lambda: dict(dropped))
    for _ in range(4):
        clock.now += 0.5
        monitor.beat(0.0)
    assert not kept.troubles
    dropped["datagrams"] = 12
    for _ in range(3):
        clock.now += 0.5
        monitor.beat(0.0)
    (trouble,) = kept.troubles
    assert trouble.cause == "dropped 12 datagrams that came faster than they could be taken"
    assert (trouble.since, trouble.until) == (1002.0, None)
    for _ in range(6):
        clock.now += 0.5
        monitor.beat(0.0)
    (trouble,) = kept.troubles
    assert trouble.until == 1003.5
