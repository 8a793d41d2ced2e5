"""The operations that read a collector under /api/v1: a row for each path, and what is served there. Read `operations`
first: it lists them."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from kubesonar.api.collector_view import CollectorView
from kubesonar.api.documents import (
    API_SCHEMA,
    EdgeDocument,
    EdgePage,
    EdgeSummary,
    HistoryPage,
    IncidentPage,
    MatrixDocument,
    MemberDocument,
    MemberPage,
    NoticePage,
    StatesDocument,
    VerdictDocument,
)
from kubesonar.api.openapi import Operation, QueryField
from kubesonar.api.queries import MOST_ITEMS, PAGE_FIELDS, page_of, query_of, text_field
from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.reports.short_history import HistoryPart
from kubesonar.core.telemetry.trial_memory import MINUTE
from kubesonar.model import Condition, Edge, Snapshot, State
from kubesonar.web import Reply, Request, error_reply

MOST_SERIES = 50
"""Most series of one page of the history. More, and a page of whole days holds up the taking of reports."""

EVENTS = "text/event-stream"

_GONE = "nothing has the key that `after` names"
_OPEN = QueryField("true or false", {"type": "string", "enum": ["true", "false"]})
_SINCE = QueryField("Unix seconds", {"type": "number", "minimum": 0, "maximum": 1e11})
_PARTS = [part.value for part in HistoryPart]
_HISTORY = {
    "part": QueryField(f"one of {', '.join(_PARTS)}", {"type": "string", "enum": _PARTS}),
    "subject": QueryField("a node, NODE>NODE or a target", {"type": "string", "maxLength": 600}),
    "since": _SINCE,
    "limit": QueryField(
        f"a whole number from 1 to {MOST_SERIES}", {"type": "integer", "minimum": 1, "maximum": MOST_SERIES}
    ),
    "after": QueryField(PAGE_FIELDS["after"].expected, {"type": "string", "maxLength": 600}),
}
_WHAT = QueryField(f"one of {', '.join(Condition)}", {"type": "string", "enum": [what.value for what in Condition]})
_STATE = QueryField(f"one of {', '.join(State)}", {"type": "string", "enum": [state.value for state in State]})


def operations(view: CollectorView) -> list[Operation]:
    """Return what can be read under /api/v1."""
    paths = _Paths(view)
    return [
        Operation("/api/v1/verdict", "whether the network is healthy", paths.verdict, VerdictDocument),
        Operation(
            "/api/v1/incidents",
            "incidents, the latest first",
            paths.incidents,
            IncidentPage,
            {"open": _OPEN, "since": _SINCE, "part": text_field("a part of the network"), **PAGE_FIELDS},
            missing=_GONE,
        ),
        Operation(
            "/api/v1/incidents/{id}",
            "one incident with its evidence",
            paths.incident,
            IncidentRecord,
            missing="there is no incident of that id",
        ),
        Operation(
            "/api/v1/notices",
            "what receivers are told, the latest first",
            paths.notices,
            NoticePage,
            {
                "what": _WHAT,
                "since": _SINCE,
                "incident": text_field("an incident's id"),
                "delivered": _OPEN,
                **PAGE_FIELDS,
            },
            missing=_GONE,
        ),
        Operation("/api/v1/members", "members", paths.members, MemberPage, {"state": _STATE, **PAGE_FIELDS}, _GONE),
        Operation(
            "/api/v1/members/{name}",
            "one member, with what it says of itself and its node",
            paths.member,
            MemberDocument,
            missing="there is no member of that name",
        ),
        Operation(
            "/api/v1/edges",
            "edges without their trials",
            paths.edges,
            EdgePage,
            {
                "source": text_field("a member's name"),
                "target": text_field("a member's or target's name"),
                **PAGE_FIELDS,
            },
            missing=_GONE,
        ),
        Operation(
            "/api/v1/edges/{source}/{target}",
            "all that is known from one member to one target",
            paths.edge,
            EdgeDocument,
            missing="nothing is known from there to there",
        ),
        Operation(
            "/api/v1/history",
            "loss and round trip of nodes, bad pairs and targets, by the minute of one day",
            paths.history,
            HistoryPage,
            _HISTORY,
            missing=_GONE,
        ),
        Operation("/api/v1/matrix", "who reaches whom", paths.matrix, MatrixDocument),
        Operation("/api/v1/states", "who need not answer, and who did not report", paths.states, StatesDocument),
        Operation("/api/v1/events", "changes as they happen", paths.events, str, kind=EVENTS),
    ]


class _Paths:
    def __init__(self, view: CollectorView) -> None:
        self._view = view

    async def verdict(self, request: Request) -> Reply:
        query_of(request)
        verdict = self._view.verdict()
        if verdict is None:
            return _not_yet()
        return Reply(encode_json(VerdictDocument(API_SCHEMA, verdict, self._view.durable(), *self._view.replicas())))

    async def incidents(self, request: Request) -> Reply:
        query = query_of(request, open=_OPEN, since=_SINCE, part=text_field("a part of the network"), **PAGE_FIELDS)
        wanted, since, part = query.get("open"), query.get("since", 0.0), query.get("part")
        found = (
            record
            for record in self._view.incidents()
            if (wanted is None or (record.closed is None) is (wanted == "true"))
            and (record.closed is None or record.closed >= since)
            and part in (None, record.finding.part)
        )
        return page_of(found, query, lambda record: record.id, IncidentPage)

    async def incident(self, request: Request) -> Reply:
        query_of(request)
        wanted = request.parameters["id"]
        found = next((record for record in self._view.incidents() if record.id == wanted), None)
        return Reply(encode_json(found)) if found else error_reply(404, "there is no incident of that id")

    async def notices(self, request: Request) -> Reply:
        query = query_of(
            request, what=_WHAT, since=_SINCE, incident=text_field("an incident's id"), delivered=_OPEN, **PAGE_FIELDS
        )
        what, since, incident = query.get("what"), query.get("since", 0.0), query.get("incident")
        wanted = query.get("delivered")
        found = (
            record
            for record in self._view.outbox()
            if what in (None, record.notice.what.value)
            and record.notice.at >= since
            and incident in (None, record.notice.incident)
            and (wanted is None or (record.delivered is not None) is (wanted == "true"))
        )
        return page_of(found, query, lambda record: record.id, NoticePage)

    async def members(self, request: Request) -> Reply:
        query = query_of(request, state=_STATE, **PAGE_FIELDS)
        state = query.get("state")
        found = (one for one in self._view.members() if state in (None, one.member.state.value))
        return page_of(found, query, lambda one: one.member.name, MemberPage)

    async def member(self, request: Request) -> Reply:
        query_of(request)
        name = request.parameters["name"]
        found = next((one for one in self._view.members() if one.member.name == name), None)
        if found is None:
            return error_reply(404, "there is no member of that name")
        said = self._view.said(name)
        return Reply(encode_json(MemberDocument(API_SCHEMA, found.member, found.reported, found.unread, said)))

    async def edges(self, request: Request) -> Reply:
        query = query_of(request, source=text_field("a member"), target=text_field("a member or target"), **PAGE_FIELDS)
        sources = [query["source"]] if "source" in query else [one.member.name for one in self._view.members()]
        after = query.get("after", "")
        first = next((at for at, name in enumerate(sources) if after.startswith(f"{name} ")), 0)
        found: list[EdgeSummary] = []
        before = 0
        for name in sources[first:]:
            found += [
                EdgeSummary(name, msgspec.structs.replace(edge, trials=(), past=()))
                for edge in _edges(await self._view.snapshot(name))
                if query.get("target") in (None, edge.latest.check.target)
            ]
            before = before or (len(found) if after else 0)
            if len(found) - before > query.get("limit", MOST_ITEMS):
                break
        return page_of(found, query, _edge_key, EdgePage)

    async def edge(self, request: Request) -> Reply:
        query_of(request)
        source, target = request.parameters["source"], request.parameters["target"]
        edges = [edge for edge in _edges(await self._view.snapshot(source)) if edge.latest.check.target == target]
        if not edges:
            return error_reply(404, "nothing is known from there to there")
        return Reply(encode_json(EdgeDocument(API_SCHEMA, source, target, tuple(edges))))

    async def history(self, request: Request) -> Reply:
        query = query_of(request, **_HISTORY)
        history = self._view.history()
        part = HistoryPart(query["part"]) if "part" in query else None

        def page(schema: int, found: tuple[tuple[HistoryPart, str], ...], following: str) -> HistoryPage:
            series = (history.series(*key, query.get("since", 0.0)) for key in found)
            return HistoryPage(schema, MINUTE, tuple(series), following)

        return page_of(history.subjects(part, query.get("subject")), query, " ".join, page, MOST_SERIES)

    async def matrix(self, request: Request) -> Reply:
        query_of(request)
        found = await self._view.matrix()
        return Reply(encode_json(found)) if found else _not_yet()

    async def states(self, request: Request) -> Reply:
        query_of(request)
        return Reply(encode_json(self._view.states()))

    async def events(self, request: Request) -> Reply:
        query_of(request)
        stream = self._view.changes()
        return Reply(stream, EVENTS) if stream else error_reply(503, "too many clients follow changes (api.streams)")


def _edges(snapshot: Snapshot | None) -> list[Edge]:
    """Return the edges in an order that stays."""
    edges = snapshot.edges if snapshot is not None else ()
    return sorted(edges, key=lambda edge: (edge.latest.side, edge.latest.check.id))


def _edge_key(one: EdgeSummary) -> str:
    """Return what stands for an edge in `next` and `after`: short also where the check's id is not."""
    check = sha256(one.edge.latest.check.id.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{one.source} {one.edge.latest.side} {check}"


def _not_yet() -> Reply:
    return error_reply(503, "there is no judgement yet", (b"retry-after", b"1"))
