"""Views drawn as HTML, text and JSON; whatever something is called, it stays text."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import msgspec
import pytest

from kubesonar.core.diagnosis.incidents.incident_log import RecordedChange
from kubesonar.core.telemetry.state_log import StateSpan
from kubesonar.model import Condition, Finding, Health, Kind, Member, Network, Notice, Path, Severity, State, Verdict
from kubesonar.views.cells import Mark, PathCell
from kubesonar.views.matrix import Matrix
from kubesonar.views.page.checks import target_model, targets_model
from kubesonar.views.page.incidents import incident_model
from kubesonar.views.page.map import map_model
from kubesonar.views.page.nodes import MemberReport, node_model, nodes_model
from kubesonar.views.page.now import now_model
from kubesonar.views.page.rendering import PageFrame, PageRenderer
from kubesonar.views.page.timeline import timeline_model
from tests.core.mesh import Mesh, Plain
from tests.views.page.source import HOSTILE, UTC, MeshSource

RENDERER = PageRenderer("v1")
NAME = "<i>\"'&"
"""A name that a member or target may have."""


def frame(view: str) -> PageFrame:
    return PageFrame(
        title=HOSTILE,
        view=view,
        address=f"/{view}?zone={NAME}",
        health=Health.BAD,
        sentence=HOSTILE,
        at=UTC.moment(1_000_000.0, 1_000_000.0),
        observers=1,
        members=2,
        zone="UTC",
        sign_out=True,
    )


def hostile() -> dict[str, msgspec.Struct]:
    """Every view, of a cluster in which all that others may write is hostile."""
    plain = (Plain(NAME, Kind.DNS, Path.DNS_POD, 53, f"{NAME}.test A udp"),)
    source = MeshSource(Mesh(nodes=3, plain=plain, states={"node-3-pod": (State.DRAINING, HOSTILE)}).cut("node-2"))
    (record,) = source.incidents()
    lines = (HOSTILE, HOSTILE)
    finding = Finding(
        HOSTILE,
        HOSTILE,
        HOSTILE,
        1.0,
        0.5,
        HOSTILE,
        lines,
        lines,
        Severity.CRITICAL,
        lines,
        lines,
        lines,
        lines,
        HOSTILE,
    )
    changes = (RecordedChange(1.0, HOSTILE, HOSTILE),)
    record = msgspec.structs.replace(record, finding=finding, changes=changes)
    member = Member(NAME, NAME, (NAME,), 1, zone=HOSTILE, reason=HOSTILE)
    members = {**source.known(), NAME: member}
    matrix = Matrix(
        Network.POD,
        tuple(members.values()),
        (NAME,),
        (PathCell(NAME, NAME, Mark.PARTLY, failing=(HOSTILE,)),),
        {NAME: HOSTILE},
        {NAME: HOSTILE},
    )
    now = source.at
    reports = [MemberReport(member, 1.0, HOSTILE, source.read.get("node-1-pod"))]
    verdict = Verdict(Health.BAD, HOSTILE, now, (finding,), unknown=(HOSTILE,))
    many = msgspec.structs.replace(
        matrix,
        network=Network.HOST,
        members=tuple(msgspec.structs.replace(member, name=f"{NAME}{n}") for n in range(70)),
        cells=(),
    )
    node = node_model(NAME, reports, [matrix], [record], members, source.past, now, UTC)
    target = target_model(NAME, source.read.values(), source.known(), source.past, now, UTC)
    assert node is not None and target is not None
    return {
        "now": now_model(verdict, [record], members, {NAME: HOSTILE}, {"x": HOSTILE}, HOSTILE, [matrix], now, UTC),
        "map": map_model([matrix, many], HOSTILE),
        "incident": incident_model(record, members, [NAME], source.past, now, UTC),
        "timeline": timeline_model(
            [record],
            [StateSpan(NAME, State.ROLLING, HOSTILE, now - 9.0)],
            [Notice("1", Condition.DEAD, NAME, now - 5.0, HOSTILE)],
            24,
            now,
            UTC,
        ),
        "nodes": nodes_model(reports, [matrix], {NAME: HOSTILE}),
        "node": node,
        "dns": targets_model(source.read.values(), source.known(), dns=True),
        "targets": targets_model(source.read.values(), source.known()),
        "target": target,
    }


MODELS = hostile()


class Tags(HTMLParser):
    """The tags and attributes of a document, and whether each that was opened is closed in order."""

    VOID = frozenset({"meta", "link", "br", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("view", MODELS)
def test_what_others_write_stays_text_in_html(view: str) -> None:
    page = RENDERER.html(frame(view), MODELS[view]).decode()
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert "i" not in tags.names and page.count("<script") == 1
    assert "style" not in tags.attributes | tags.names
    assert not any(name.startswith("on") for name in tags.attributes)
    assert "\u202e" not in page and "&lt;script&gt;" in page
    assert len(tags.ids) == len(set(tags.ids))
    assert page.count("<h1") == 1


@pytest.mark.parametrize("view", MODELS)
def test_what_others_write_stays_on_its_line_in_text(view: str) -> None:
    text = RENDERER.text(frame(view), MODELS[view]).decode()
    assert text.startswith("Sick: <script>")
    assert "\u202e" not in text and not any(line.startswith("- forged") for line in text.splitlines())
    assert all(char.isprintable() or char == "\n" for char in text)
    assert text.endswith("\n") and "\n\n\n" not in text


@pytest.mark.parametrize("view", MODELS)
def test_json_says_what_the_page_shows(view: str) -> None:
    document = json.loads(RENDERER.json(frame(view), MODELS[view]))
    assert (document["schema"], document["view"], document["health"]) == (1, view, "bad")
    assert document["content"] == json.loads(msgspec.json.encode(MODELS[view]))


def test_forms_and_notices_escape_too() -> None:
    form = RENDERER.message("sign_in", to=HOSTILE, error=HOSTILE, again="").decode()
    notice = RENDERER.message("notice", headline=HOSTILE, sentence=HOSTILE).decode()
    assert "<script>alert" not in form + notice
    assert 'http-equiv="refresh"' not in form
    assert 'http-equiv="refresh"' in RENDERER.message("sign_in", to="/", error="", again="again").decode()


def test_files_are_asked_for_by_their_version() -> None:
    page = RENDERER.html(frame("dns"), MODELS["dns"]).decode()
    assert "/static/page.css?v=v1" in page and "/static/page.js?v=v1" in page
