"""A lab with two collectors: both remember what was broken, with the same ids, also when one is cut off or gone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from tests.apps.agents import until
from tests.lab.inside import in_namespaces, needs_nft
from tests.scenarios.running_lab import RunningLab, await_good

COLLECTORS = ("collector-1", "collector-2")

pytestmark = [pytest.mark.lab, needs_nft]


@pytest.fixture(scope="module")
def collecting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    in_namespaces(lambda: None)  # skips where there are none
    with RunningLab(tmp_path_factory.mktemp("l"), nodes=3, collectors=2) as running:
        await_good(running)
        yield running


def about(lab: RunningLab, collector: str, subject: str) -> list[IncidentRecord]:
    """Its incidents about that subject, the latest first."""
    return [record for record in lab.history(collector) if record.finding.subject == subject]


def over(lab: RunningLab, collector: str) -> bool:
    """Whether it has incidents, none of which is open."""
    found = lab.history(collector)
    return bool(found) and all(record.closed for record in found)


def ids(lab: RunningLab, collector: str) -> list[tuple[str, list[str]]]:
    """Its incidents, and what became of each."""
    return [(record.id, [change.became for change in record.changes]) for record in lab.history(collector)]


def alike(lab: RunningLab) -> bool:
    """Whether both tell the same."""
    one, other = (ids(lab, collector) for collector in COLLECTORS)
    return one == other


def test_both_know_what_was_broken_and_when_it_ended(collecting: RunningLab) -> None:
    collecting.order("cut node-2")
    for collector in COLLECTORS:
        until(partial(about, collecting, collector, "node-2"))
    collecting.order("clear")
    for collector in COLLECTORS:
        until(partial(over, collecting, collector))
    until(partial(alike, collecting))


def test_a_collector_that_is_cut_off_or_killed_makes_nobody_sick_and_the_other_goes_on(collecting: RunningLab) -> None:
    await_good(collecting)
    before = len(collecting.history("collector-2"))
    collecting.order("cut collector-1")
    await_good(collecting, stays=6.0)
    collecting.order("kill collector-1")
    collecting.order("kill node-3")
    until(lambda: len(collecting.history("collector-2")) > before)
    assert all("node-3" in record.finding.subject for record in collecting.history("collector-2")[:-before])
    collecting.order("clear")
    until(partial(over, collecting, "collector-2"), 60)
    until(partial(alike, collecting), 60)  # it was started again, and has all that happened meanwhile
    assert about(collecting, "collector-1", "node-3")
    assert about(collecting, "collector-1", "node-2")


def test_while_one_collector_is_slow_and_the_other_frozen_a_fault_is_known_and_both_tell_the_same_afterwards(
    collecting: RunningLab,
) -> None:
    await_good(collecting)
    collecting.order("rate collector-1 4000")
    collecting.order("pause collector-2")
    collecting.order("cut node-2")
    until(lambda: any(one.closed is None for one in about(collecting, "collector-1", "node-2")), 90)
    collecting.order("clear")
    for collector in COLLECTORS:
        until(partial(over, collecting, collector), 90)
    until(partial(alike, collecting), 90)
