"""What the kernel dropped lately, from counters that only grow."""

from kubesonar.core.telemetry.saturation import SaturationWindow
from kubesonar.model import Saturation


def reading(at: float, drops: int | None, entries: int = 10) -> Saturation:
    return Saturation(at, 0.0, entries, 100, conntrack_drops=drops, udp_receive_drops=5)


def test_drops_are_those_of_the_last_minute() -> None:
    window = SaturationWindow()
    assert (window.total, window.recent) == (None, None)
    for at, drops in ((0.0, 1000), (10.0, 1007), (70.0, 1010), (80.0, 1010)):
        window.note(reading(at, drops, entries=int(at)))
    assert window.recent == Saturation(80.0, 10.0, 80, 100, conntrack_drops=0, udp_receive_drops=0)
    assert window.total == reading(80.0, 1010, entries=80)
    window.note(reading(90.0, 1030))
    assert window.recent == Saturation(90.0, 20.0, 10, 100, conntrack_drops=20, udp_receive_drops=0)


def test_what_the_kernel_does_not_tell_stays_unknown() -> None:
    window = SaturationWindow()
    for at, drops in ((0.0, None), (10.0, 5)):
        window.note(reading(at, drops))
    assert window.recent is not None
    assert window.recent.conntrack_drops is None


def test_counters_that_begin_anew_and_clocks_set_back_are_no_drops() -> None:
    window = SaturationWindow()
    for at, drops in ((100.0, 50), (110.0, 2)):
        window.note(reading(at, drops))
    assert window.recent == Saturation(110.0, 10.0, 10, 100, conntrack_drops=0, udp_receive_drops=0)
    window.note(reading(20.0, 3))
    assert window.recent == Saturation(20.0, 0.0, 10, 100, conntrack_drops=0, udp_receive_drops=0)
    window.note(reading(30.0, 1 << 40))
    assert window.recent == Saturation(30.0, 10.0, 10, 100, conntrack_drops=1 << 32, udp_receive_drops=0)
