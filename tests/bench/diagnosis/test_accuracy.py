from __future__ import annotations

import pytest

from bench.diagnosis.quick import jobs, pooled
from bench.diagnosis.report import by_row, failures
from bench.diagnosis.sweep import sweep

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]


def test_the_right_sentence_pooled_over_faults() -> None:
    scores = list(sweep(jobs([1]), None, 1))
    found = pooled(scores)
    told = f"{found}\n{by_row(scores)}\n{failures(scores)}"
    assert found.right >= 0.9, told
    assert found.wrong <= 0.05, told
    assert found.silent >= 0.95, told
    assert found.alarms <= 1, told
