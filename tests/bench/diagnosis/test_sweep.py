from __future__ import annotations

from pathlib import Path

import pytest

from bench.diagnosis.cluster import Shape
from bench.diagnosis.report import by_class, by_row, failures, false_alarms, upper
from bench.diagnosis.rows import parse
from bench.diagnosis.run import Pace
from bench.diagnosis.sweep import Job, load, sweep

SHAPE = Shape(nodes=3)
PACE = Pace(10.0, 1.0, 30.0)


def test_a_sweep_that_was_stopped_goes_on(tmp_path: Path) -> None:
    jobs = [Job("node", SHAPE, seed, ("threshold",), PACE) for seed in range(3)]
    results = tmp_path / "results.jsonl"
    first = list(sweep(jobs[:2], results, 1))
    written = results.read_bytes()
    again = list(sweep(jobs, results, 1))
    assert again[:2] == first
    assert results.read_bytes().startswith(written)
    assert [score.seed for score in load(results)] == [0, 1, 2]


def test_a_row_may_say_how_long_its_faults_last() -> None:
    row = parse("node loss 0.3 growing + pair for 12")
    assert (row.hold, [fault.manner for fault in row.faults]) == (12.0, ["growing", "steady"])
    assert str(row) == "node loss 0.3 growing + pair for 12"


def test_a_watch_may_begin_after_the_fault() -> None:
    (score,) = sweep(
        [Job("node for 30", SHAPE, 1, ("threshold",), Pace(10.0, 1.0, 30.0, first=12.0, warm=20.0))], None, 1
    )
    assert score.span == 58.0


def test_false_alarms_have_an_upper_bound() -> None:
    assert upper(0) == pytest.approx(2.996, abs=0.01)
    assert upper(5) == pytest.approx(10.51, abs=0.01)
    scores = list(sweep([Job("healthy", SHAPE, 1, ("threshold",), PACE)], None, 1))
    assert "| healthy | 3 | 0 % loss | threshold |" in false_alarms(scores)


def test_the_table_pools_by_row_and_failures_name_seeds() -> None:
    scores = list(sweep([Job("node", SHAPE, seed, ("threshold",), PACE) for seed in range(2)], None, 1))
    assert by_row(scores).splitlines()[2].startswith("| node | 3 | threshold | 2 |")
    assert by_class(scores).splitlines()[2].startswith("| nodes, pod networks, zones, hard | 3 | threshold | 2 |")
    assert len({line.count("|") for line in by_class(scores).splitlines()}) == 1
    assert "seed 1" in failures(scores) or all(score.wrong == 0 for score in scores)
