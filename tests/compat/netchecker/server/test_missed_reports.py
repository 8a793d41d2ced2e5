"""How missed reports are counted."""

from __future__ import annotations

from kubesonar.compat.netchecker.server.missed_reports import MissedReports
from kubesonar.compat.netchecker.spec import AgentSpec

SPEC = AgentSpec(report_interval=10)


def test_nc27_with_custom_resources_each_interval_after_the_second_is_an_error() -> None:
    missed = MissedReports()
    counted = [age for age in range(60) if missed.overdue({"a": (SPEC, float(age))})]
    assert counted == [20, 30, 40, 50]
    missed.reported("a")
    assert [age for age in range(25) if missed.overdue({"a": (SPEC, float(age))})] == [20]
    assert missed.overdue({"a": (AgentSpec(), 1e9)}) == []


def test_nc27_in_etcd_an_outage_is_one_error_and_a_pod_that_never_reported_none() -> None:
    missed = MissedReports()
    assert missed.absent(["a", "b"], ["a"]) == []
    assert missed.absent(["a", "b"], []) == ["a"]
    assert missed.absent(["a", "b"], []) == []
    assert missed.absent(["a", "b"], ["a"]) == []
    assert missed.absent(["a", "b"], []) == ["a"]
    assert missed.absent(["a"], ["a"]) == missed.absent([], []) == []
