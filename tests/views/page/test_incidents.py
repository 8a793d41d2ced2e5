"""One incident in full."""

from __future__ import annotations

import msgspec

from kubesonar.core.diagnosis.incidents.incident_log import RecordedChange
from kubesonar.views.page.incidents import incident_line, incident_model
from tests.core.mesh import Mesh
from tests.views.page.source import UTC, MeshSource

SOURCE = MeshSource(Mesh().drop("node-1", "node-2", 0.4))
(RECORD,) = SOURCE.incidents()


def test_the_evidence_the_rivals_and_the_command_are_there() -> None:
    model = incident_model(RECORD, SOURCE.known(), (), SOURCE.past, SOURCE.at, UTC)
    assert [place.href for place in model.places] == ["/nodes/node-1", "/nodes/node-2"]
    assert model.evidence and model.rivals and model.observers and model.confirm
    assert model.runbook is not None and model.runbook.href.endswith("/runbooks/KubesonarPairLossy.md")
    assert [change.became for change in model.changes] == ["opened"]
    assert model.line.lasting.endswith(" s") and model.line.until is None


def test_a_sentence_is_not_said_twice() -> None:
    said = [("opened", "a"), ("changed", "b"), ("closed", "b")]
    changes = tuple(RecordedChange(SOURCE.at, became, sentence) for became, sentence in said)
    record = msgspec.structs.replace(RECORD, changes=changes, closed=SOURCE.at + 60.0, since=SOURCE.at, returns=2)
    model = incident_model(record, {}, (), SOURCE.past, SOURCE.at, UTC)
    assert [change.sentence for change in model.changes] == ["a", "b", ""]
    assert (model.line.lasting, model.line.returns, model.places) == ("60 s", 2, ())


def test_targets_and_members_that_it_is_about_are_linked() -> None:
    finding = msgspec.structs.replace(RECORD.finding, subject="node-1-pod>dns 1")
    model = incident_model(
        msgspec.structs.replace(RECORD, finding=finding), SOURCE.known(), ["dns", "2"], SOURCE.past, SOURCE.at, UTC
    )
    assert [(place.text, place.href) for place in model.places] == [
        ("node-1-pod", "/nodes/node-1"),
        ("dns", "/targets/dns"),
    ]


def test_a_line_names_a_few_observers() -> None:
    observers = tuple(f"node-{n}: 1 of 2 bad" for n in range(5))
    finding = msgspec.structs.replace(RECORD.finding, observers=observers)
    line = incident_line(msgspec.structs.replace(RECORD, finding=finding), SOURCE.at, UTC)
    assert (line.observers, line.more_observers) == (("node-0", "node-1", "node-2"), 2)
