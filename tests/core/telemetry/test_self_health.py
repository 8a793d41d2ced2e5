from kubesonar.core.telemetry.self_health import SelfHealth, SelfHealthOptions
from kubesonar.model import Check, Kind, Network, Observation, Path

HEALTH = SelfHealthOptions(lag=0.5, throttled=0.5, calm=2.0)


def train(received: int) -> Observation:
    check = Check("udp/loopback/me", Kind.UDP, Path.LOOPBACK, "me", "127.0.0.1", timeout=1.0)
    return Observation(check, "me", Network.POD, at=100.0, sent=8, received=received)


def test_small_lags_are_no_trouble() -> None:
    health = SelfHealth(HEALTH)
    assert health.lag(100.0, 0.1) is None
    assert health.calm(200.0) is None


def test_a_freeze_is_a_trouble_from_its_beginning_to_its_end() -> None:
    health = SelfHealth(HEALTH)
    trouble = health.lag(130.0, 30.0)
    assert trouble is not None
    assert (trouble.since, trouble.until) == (100.0, None)
    assert "30.0 s late" in trouble.cause
    assert health.calm(131.0) is None
    ended = health.calm(132.5)
    assert ended is not None
    assert (ended.since, ended.until) == (100.0, 130.0)
    assert health.calm(140.0) is None


def test_troubles_that_follow_each_other_are_one() -> None:
    health = SelfHealth(HEALTH)
    assert health.lag(100.0, 1.0) is not None
    assert health.throttled(101.0, 5.0, 0.9) is None
    assert health.lag(102.0, 0.8) is None
    ended = health.calm(105.0)
    assert ended is not None
    assert (ended.since, ended.until) == (99.0, 102.0)


def test_loss_on_the_own_loopback_is_ones_own_trouble() -> None:
    health = SelfHealth(HEALTH)
    assert health.loopback(train(8)) is None
    trouble = health.loopback(train(5))
    assert trouble is not None
    assert "lost 3 of 8" in trouble.cause


def test_a_little_throttling_is_normal() -> None:
    assert SelfHealth(HEALTH).throttled(100.0, 5.0, 0.2) is None


def test_a_wall_clock_set_back_does_not_keep_a_trouble_open() -> None:
    health = SelfHealth(HEALTH)
    health.lag(5000.0, 1.0)
    assert health.calm(1400.0) is None
    ended = health.calm(1402.5)
    assert ended is not None
    assert (ended.since, ended.until) == (4999.0, 4999.0)


def test_what_was_dropped_is_a_trouble_from_the_look_before_to_the_last_drop() -> None:
    health = SelfHealth(HEALTH)
    trouble = health.dropped(100.0, 0.25, 7, "datagrams")
    assert trouble is not None
    assert trouble.since == 99.75
    assert trouble.cause == "dropped 7 datagrams that came faster than they could be taken"
    assert health.dropped(101.5, 0.25, 10, "connections") is None
    assert health.calm(103.0) is None
    ended = health.calm(103.6)
    assert ended is not None
    assert (ended.since, ended.until) == (99.75, 101.5)


def test_a_few_connections_that_the_kernel_gave_up_are_no_trouble() -> None:
    """A way out that loses everything leaves a listener with handshakes that never end: that is the network's loss."""
    health = SelfHealth(SelfHealthOptions())
    assert health.dropped(100.0, 0.25, 1, "connections") is None
    assert health.dropped(101.0, 0.25, 30, "connections") is not None
