"""What is wrong now."""

from __future__ import annotations

import msgspec

from kubesonar.model import State
from kubesonar.views.page.links import Link
from kubesonar.views.page.now import NowModel, now_model
from tests.core.mesh import Mesh
from tests.views.page.source import UTC, MeshSource


def now(source: MeshSource, at: float | None = None) -> NowModel:
    verdict, states = source.verdict(), source.states()
    assert verdict is not None
    moment = source.now() if at is None else at
    members = source.known()
    return now_model(
        verdict, source.incidents(), members, states.excused, states.unread, source.durable(), (), moment, UTC
    )


def test_of_a_well_network_nothing_is_told() -> None:
    model = now(MeshSource(Mesh(nodes=3)))
    assert (model.open, model.closed, model.excused, model.unread, model.unknown) == ((), (), (), (), ())
    assert [(one.network, one.members, one.zones) for one in model.networks] == [("pod", 3, 2), ("host", 3, 2)]


def test_an_incident_says_since_when_how_sure_and_who_saw_it() -> None:
    source = MeshSource(Mesh().cut("node-2"))
    (line,) = now(source).open
    assert "node-2" in line.sentence and line.until is None
    assert line.sure.endswith(" %") and line.what.startswith("node node-2: ")
    assert len(line.observers) == 3 and line.more_observers > 0
    (bar,) = now(source).day.lane.bars
    assert bar.href == f"/incidents/{line.id}"
    assert now(source).small_map.networks == ()


def test_members_of_a_node_share_a_line_where_they_share_the_reason() -> None:
    both = {f"node-3-{network}": (State.DRAINING, "by ops") for network in ("pod", "host")}
    model = now(MeshSource(Mesh(states=both).cut("node-2"), silent="node-2"))
    (excused,) = model.excused
    assert excused.place == Link("node-3", "/nodes/node-3")
    assert (excused.members, excused.reason) == (("node-3-host", "node-3-pod"), "draining: by ops")
    assert {line.place.text for line in model.unread} == {"node-2"} and model.more_unread == 0


def test_lists_end_and_say_how_many_more_there_are() -> None:
    source = MeshSource(Mesh().cut("node-2"))
    (record,) = source.incidents()
    many = [msgspec.structs.replace(record, id=str(n), closed=None if n < 70 else source.at - n) for n in range(120)]
    verdict = source.verdict()
    assert verdict is not None
    model = now_model(verdict, many, {}, {str(n): "why" for n in range(60)}, {}, "disk full", (), source.at, UTC)
    assert (len(model.open), model.more_open, len(model.closed)) == (50, 20, 5)
    assert [line.id for line in model.closed] == ["70", "71", "72", "73", "74"]
    assert (len(model.excused), model.more_excused, model.durable) == (50, 10, "disk full")
