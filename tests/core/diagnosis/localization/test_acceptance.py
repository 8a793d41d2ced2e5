from __future__ import annotations

import msgspec
import pytest

from kubesonar.core.diagnosis.evidence import Ages, Cell
from kubesonar.core.diagnosis.inference.likelihood import Fit
from kubesonar.core.diagnosis.inference.suspects import Rival, Suspect
from kubesonar.core.diagnosis.localization.acceptance import is_burst, is_told, without_ways_of_both
from kubesonar.core.diagnosis.parts.table import PARTS
from kubesonar.core.diagnosis.parts.traversal import Aspect, End, Traversal, Way
from kubesonar.model import Kind, Path

AGES = Ages(10.0, 60.0)
NOW = 100.0


def suspect(name: str, subject: str, index: int, times: list[float], ended: int = 0, rate: float = 0.3) -> Suspect:
    """A part that was bad at these times, in trials of one cell; `ended`: the bin of age in which it ended."""
    source, target = (End(f"{node}-pod", node) for node in subject.partition(" ")[0].split(">"))
    cell = Cell(Traversal(source, target, Kind.UDP, Path.POD, Way.FORWARD, Aspect.REACH), 8, len(AGES.edges))
    cell.bad_at = times
    row = next(row for row, part in enumerate(PARTS) if part.name == name)
    found = Fit(50.0, rate, AGES.window, ended, 50.0)
    return Suspect((row, subject), found, None, [index], [cell], times, times, [], 40.0)


FAULT = [84.0, 85.0, 86.0, 92.0, 93.0, 97.0]


def test_what_fails_seldom_and_with_pauses_is_no_burst_where_nobody_had_one() -> None:
    port = suspect("pair_port", "node-3>node-1 tcp/7473", 0, FAULT)
    assert not is_burst(port, [], AGES, NOW)


@pytest.mark.parametrize(("began", "burst"), [(74.0, False), (89.0, True)])
def test_where_another_had_a_burst_before_it_must_have_lasted_longer(began: float, burst: bool) -> None:
    other = suspect("pair", "node-4>node-5", 1, [60.0, 61.0, 62.0], ended=8)
    times = [began + step for step in range(int(97 - began) + 1)]
    assert is_burst(suspect("pair", "node-1>node-2", 0, times), [other], AGES, NOW) is burst
    assert not is_burst(suspect("pair", "node-1>node-2", 0, times, rate=0.999), [other], AGES, NOW)


def test_what_another_part_explains_does_not_make_it_longer() -> None:
    times = [70.0, 72.0, 74.0, 77.0, 80.0, 83.0, 86.0, 88.0, 90.0, 92.0, 94.0, 97.0]
    over = suspect("pair", "node-1>node-3", 0, times[:7], ended=7)
    assert is_burst(suspect("pair", "node-1>node-2", 0, times), [over], AGES, NOW)
    assert not is_burst(suspect("pair", "node-1>node-2", 2, times), [over], AGES, NOW)


@pytest.mark.parametrize(
    ("name", "subject", "other", "told"),
    [("pair", "node-3>node-1", "pair", False), ("node", "node-3", "node_in", False), ("node", "node-3", "pair", True)],
)
def test_what_more_trials_cross_than_another_of_its_kind_is_not_told_by_the_newest_alone_that_show_no_difference(
    name: str, subject: str, other: str, told: bool
) -> None:
    twin = Rival(other, "node-2>node-1" if other == "pair" else "node-1", lead=0.0, same=True, within=True)
    row = next(row for row, part in enumerate(PARTS) if part.name == name)
    found = suspect("pair", "node-3>node-1", 0, FAULT, rate=0.999)
    found = msgspec.structs.replace(found, key=(row, subject), rivals=[twin])
    assert is_told(found, AGES, AGES.window, NOW) is told
    assert is_told(found, AGES, len(AGES.edges), NOW)


@pytest.mark.parametrize("known", [True, False])
def test_what_was_told_before_is_told_though_a_narrower_part_explains_more_for_a_while(known: bool) -> None:
    narrower = Rival("pair_port", "node-3>node-1 tcp/7473", lead=3.0, more=5.0, within=True)
    found = msgspec.structs.replace(suspect("pair", "node-3>node-1", 0, FAULT), rivals=[narrower])
    assert is_told(found, AGES, AGES.window, NOW, known=known) is known
    assert not is_told(found, AGES, AGES.recent, NOW, known=known)


@pytest.mark.parametrize(("rate", "told"), [(0.01, False), (0.3, False), (0.999, True)])
@pytest.mark.parametrize("name", ["agent_gone", "agent_frozen"])
def test_an_agent_that_answers_most_of_the_time_is_neither_gone_nor_frozen(name: str, rate: float, told: bool) -> None:
    found = suspect("pair", "node-1>node-2", 0, FAULT, rate=rate)
    row = next(row for row, part in enumerate(PARTS) if part.name == name)
    assert is_told(msgspec.structs.replace(found, key=(row, "node-2-pod")), AGES, AGES.window, NOW) is told


@pytest.mark.parametrize(
    ("rate", "age", "lead", "told"),
    [(0.006, 150.0, 5.0, False), (0.006, 150.0, 7.0, True), (0.006, 250.0, 5.0, True), (0.02, 50.0, 5.0, True)],
)
def test_of_faint_loss_nothing_is_told_for_minutes_that_does_not_lead_clearly(
    rate: float, age: float, lead: float, told: bool
) -> None:
    way = suspect("pair", "node-1>node-2", 0, [NOW - age * step / 20 for step in range(20, 0, -1)], rate=rate)
    fit = msgspec.structs.replace(way.fit, bins=len(AGES.edges))
    both = msgspec.structs.replace(way, fit=fit, rivals=[Rival("node", "node-2", lead=lead, more=-5.0)])
    assert is_told(both, AGES, len(AGES.edges), NOW) is told


def test_one_way_of_a_part_is_not_told_beside_both() -> None:
    node, way, other = (
        msgspec.structs.replace(suspect("pair", "node-1>node-2", 0, FAULT), key=(row, subject))
        for name, subject in (("node", "node-1"), ("node_in", "node-1"), ("node_in", "node-2"))
        for row in [next(row for row, part in enumerate(PARTS) if part.name == name)]
    )
    assert without_ways_of_both([way, node, other]) == [node, other]
    assert without_ways_of_both([way, other]) == [way, other]
