from kubesonar.core.telemetry.reports.level_sums import LevelSums
from kubesonar.core.telemetry.service_levels import LATENCY_BOUNDS, LatencyCounts, ServiceLevels

BUCKETS = len(LATENCY_BOUNDS) + 1
START = 1_700_000_000.0


def counted(answers: int, failed: int = 0, sent: int = 0) -> ServiceLevels:
    return ServiceLevels(LatencyCounts((answers, *[0] * (BUCKETS - 1)), answers / 1000, failed), sent=sent)


def summed(sums: LevelSums) -> tuple[int, float, float, int]:
    histogram = sums.answered.series[("service",)]
    return sum(histogram.counts), histogram.total, sums.failed.series[("service",)], sums.sent


def test_what_agents_counted_grows_with_each_report() -> None:
    sums = LevelSums()
    sums.take("a", 1, 0.0, counted(0), START)
    sums.take("b", 1, 0.0, counted(0), START)
    sums.take("a", 1, 10.0, counted(4, 1, 80), START + 10)
    sums.take("b", 1, 10.0, counted(2, 0, 8), START + 10)
    sums.take("a", 1, 20.0, counted(5, 1, 88), START + 20)
    assert summed(sums) == (7, 0.007, 1, 96)


def test_what_was_counted_before_this_collector_began_is_its_predecessors() -> None:
    sums = LevelSums()
    sums.take("old", 1, 5000.0, counted(900), START)
    sums.take("old", 1, 5010.0, counted(901), START + 10)
    sums.take("new", 1, 4.0, counted(3), START + 10)
    assert summed(sums)[0] == 4


def test_an_agent_that_began_anew_counts_anew() -> None:
    sums = LevelSums()
    sums.take("a", 1, 100.0, counted(50), START)
    sums.take("a", 1, 110.0, counted(60), START + 10)
    sums.take("a", 2, 5.0, counted(7), START + 20)
    assert summed(sums)[0] == 17
    sums.forget("a")
    assert summed(sums)[0] == 17


def test_counts_of_another_version_are_left_out_and_what_shrinks_takes_nothing_away() -> None:
    sums = LevelSums()
    sums.take("a", 1, 0.0, ServiceLevels(LatencyCounts((5, 5))), START)
    assert sums.answered.series == {}
    sums.take("a", 1, 1.0, counted(5), START + 1)
    sums.take("a", 1, 2.0, counted(3), START + 2)
    assert summed(sums)[0] == 5
