"""Incidents, expected changes and notices on one axis."""

from __future__ import annotations

import msgspec

from kubesonar.core.telemetry.state_log import StateSpan
from kubesonar.model import Condition, Notice, State
from kubesonar.views.page.timeline import timeline_model
from tests.core.mesh import Mesh
from tests.views.page.source import UTC, MeshSource

SOURCE = MeshSource(Mesh().cut("node-2"))
NOW = SOURCE.at
(RECORD,) = SOURCE.incidents()


def test_cause_and_effect_are_on_one_axis_and_in_one_list() -> None:
    record = msgspec.structs.replace(RECORD, since=NOW - 1800, closed=NOW - 900)
    change = StateSpan("node-2", State.DRAINING, "by ops", NOW - 2700)
    notice = Notice("1", Condition.DEAD, "node-2-pod", NOW - 1750, "node-2-pod is dead")
    model = timeline_model([record], [change], [notice], 1, NOW, UTC)
    incidents, changes, notices = (lane.bars[0] for lane in model.lanes)
    assert (incidents.start, incidents.width) == (50.0, 25.0)
    assert (changes.start, changes.width) == (25.0, 75.0)
    assert notices.start == 51.39
    assert [event.kind for event in model.events] == ["notice", "incident", "change"]
    assert [event.lasting for event in model.events] == ["", "15 min", "45 min, goes on"]
    assert (model.ticks[0].place, model.ticks[-1].place) == (0.0, 100.0)
    assert model.ticks[0].text.count(":") == 1


def test_what_ended_before_the_axis_begins_is_not_there_and_what_began_before_is_cut() -> None:
    old = StateSpan("a", State.ROLLING, "", NOW - 9000, NOW - 3700)
    long = StateSpan("b", State.ROLLING, "", NOW - 9000)
    model = timeline_model([], [old, long], [], 1, NOW, UTC)
    assert [(bar.start, bar.width) for bar in model.lanes[1].bars] == [(0.0, 100.0)]
    assert [event.sentence for event in model.events] == ["b rolling"]


def test_bars_that_overlap_are_in_rows_and_rows_end() -> None:
    spans = [StateSpan(f"n-{n}", State.ROLLING, "", NOW - 3000 + n) for n in range(20)]
    later = StateSpan("later", State.ROLLING, "", NOW - 3500, NOW - 3400)
    lane = timeline_model([], [*spans, later], [], 1, NOW, UTC).lanes[1]
    assert (lane.rows, len(lane.bars), lane.hidden) == (12, 13, 8)
    assert {bar.row for bar in lane.bars} == set(range(12))


def test_the_shortest_can_be_seen_at_the_very_end() -> None:
    notice = Notice("1", Condition.DEAD, "a", NOW, "a is dead")
    (bar,) = timeline_model([], [], [notice], 720, NOW, UTC).lanes[2].bars
    assert bar.width > 0.3 and bar.start + bar.width <= 100.0


def test_the_list_ends() -> None:
    notices = [Notice(str(n), Condition.DEAD, "a", NOW - n, "a is dead") for n in range(500)]
    model = timeline_model([], [], notices, 24, NOW, UTC)
    assert (len(model.events), model.more) == (300, 200)
