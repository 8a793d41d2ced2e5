"""The paths of a collector. Read `collector_handler` first: it lists them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from hashlib import sha256
from itertools import islice
from typing import Any, Protocol

import msgspec

from kubesonar.api.openapi import Operation, QueryField, openapi
from kubesonar.core.decoding import Undecodable, convert_plain
from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeRecord
from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.reports.short_history import HistoryPart, HistorySeries, ShortHistory
from kubesonar.core.telemetry.trial_memory import MINUTE
from kubesonar.model import Condition, Edge, Member, Snapshot, State, Verdict
from kubesonar.views.matrix import Matrix
from kubesonar.views.metrics.exposition import OPENMETRICS, TEXT, accepts_openmetrics
from kubesonar.web import (
    Authenticator,
    BadRequest,
    Handler,
    Reply,
    Request,
    Route,
    Router,
    error_reply,
    unauthorized_reply,
)

API_SCHEMA = 1
"""Version of the documents under /api/v1; raised when a reader of the version before could misread one."""

MOST_ITEMS = 1000
"""Most items of one page. More, and a reply of a large cluster takes megabytes and seconds."""

MOST_SERIES = 50
"""Most series of one page of the history. More, and a page of whole days holds up the taking of reports."""

EVENTS = "text/event-stream"


class CollectorMember(msgspec.Struct, frozen=True):
    """A member, how many seconds ago it reported (None: never), and why its reports do not count now (empty: they
    do)."""

    member: Member
    reported: float | None
    unread: str


class MemberDocument(msgspec.Struct, frozen=True):
    """A member as in `CollectorMember`, and what it last said of itself, without roster and edges: troubles, what its
    kernel lacks room for, and its facts; None where it never reported."""

    schema: int
    member: Member
    reported: float | None
    unread: str
    said: Snapshot | None


class VerdictDocument(msgspec.Struct, frozen=True):
    """The verdict. `durable` is empty while incidents are kept durably, else why they are not; `replica` answers, and
    `leader` is the one that decides what becomes of incidents, empty where none is known."""

    schema: int
    verdict: Verdict
    durable: str
    replica: str = ""
    leader: str = ""


class IncidentPage(msgspec.Struct, frozen=True):
    """Incidents, the latest first; `next` is what to give as `after` for the next page, empty on the last."""

    schema: int
    incidents: tuple[IncidentRecord, ...]
    next: str


class NoticePage(msgspec.Struct, frozen=True):
    """Notices, the latest first, and `next` as in `IncidentPage`."""

    schema: int
    notices: tuple[NoticeRecord, ...]
    next: str


class MemberPage(msgspec.Struct, frozen=True):
    """Members by name, and `next` as in `IncidentPage`."""

    schema: int
    members: tuple[CollectorMember, ...]
    next: str


class EdgeSummary(msgspec.Struct, frozen=True):
    """One edge of a member, without its trials and its past."""

    source: str
    edge: Edge


class EdgePage(msgspec.Struct, frozen=True):
    """Edges by source and id of the check, and `next` as in `IncidentPage`."""

    schema: int
    edges: tuple[EdgeSummary, ...]
    next: str


class EdgeDocument(msgspec.Struct, frozen=True):
    """All that is known of the edges from one member to one target: their trials of the last minute, and the minutes
    of a quarter of an hour before."""

    schema: int
    source: str
    target: str
    edges: tuple[Edge, ...]


class HistoryPage(msgspec.Struct, frozen=True):
    """Series of one value each `step` seconds, by part and subject, and `next` as in `IncidentPage`."""

    schema: int
    step: float
    series: tuple[HistorySeries, ...]
    next: str


class MatrixDocument(msgspec.Struct, frozen=True):
    """Who reaches whom, a matrix for each network."""

    schema: int
    at: float
    matrices: tuple[Matrix, ...]


class StatesDocument(msgspec.Struct, frozen=True):
    """The members that are not expected to answer, and those that did not report; why, by name."""

    schema: int
    excused: dict[str, str]
    unread: dict[str, str]


class EvidenceAway(Exception):
    """What agents reported cannot be read now, as what keeps it is being started; the message is a clause."""


class CollectorView(Protocol):
    """The parts of a collector that its API reads. Methods without `async` return at once; those with it raise
    EvidenceAway."""

    def ready(self) -> str:
        """Return why the collector is not ready, empty where it is."""
        ...

    def verdict(self) -> Verdict | None:
        """Return the latest verdict, None before the first."""
        ...

    def durable(self) -> str:
        """Return why incidents are not durable now, empty where they are."""
        ...

    def replicas(self) -> tuple[str, str]:
        """Return the names of this replica and of the one that leads, empty where none is known."""
        ...

    def incidents(self) -> Iterable[IncidentRecord]:
        """Return all incidents, the latest first."""
        ...

    def outbox(self) -> Iterable[NoticeRecord]:
        """Return all notices as they are kept, the latest first."""
        ...

    def members(self) -> Iterable[CollectorMember]:
        """Return all members by name."""
        ...

    def said(self, name: str) -> Snapshot | None:
        """Return what a member last said of itself, without roster and edges, None where it never reported."""
        ...

    async def snapshot(self, name: str) -> Snapshot | None:
        """Return the snapshot of a member as it would give it now, None where it never reported."""
        ...

    def history(self) -> ShortHistory:
        """Return the series of the last day."""
        ...

    async def matrix(self) -> MatrixDocument | None:
        """Return who reaches whom, None before the first verdict."""
        ...

    def states(self) -> StatesDocument:
        """Return who need not answer, and who did not report."""
        ...

    def metrics(self, *, openmetrics: bool) -> bytes:
        """Return the metrics as OpenMetrics or as Prometheus text."""
        ...

    def changes(self) -> AsyncGenerator[bytes, None] | None:
        """Return server-sent events of changes from now on, None where too many clients follow them."""
        ...


def _text(expected: str) -> QueryField:
    return QueryField(expected, {"type": "string", "maxLength": 300})


_LIMIT = QueryField(f"a whole number from 1 to {MOST_ITEMS}", {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS})
_AFTER = _text("what `next` of the page before says")
_PAGE = {"limit": _LIMIT, "after": _AFTER}
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
    "after": QueryField(_AFTER.expected, {"type": "string", "maxLength": 600}),
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
            {"open": _OPEN, "since": _SINCE, "part": _text("a part of the network"), **_PAGE},
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
                "incident": _text("an incident's id"),
                "delivered": _OPEN,
                **_PAGE,
            },
            missing=_GONE,
        ),
        Operation("/api/v1/members", "members", paths.members, MemberPage, {"state": _STATE, **_PAGE}, _GONE),
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
            {"source": _text("a member's name"), "target": _text("a member's or target's name"), **_PAGE},
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


def collector_handler(
    view: CollectorView, more: Mapping[str, Route], authenticator: Authenticator, version: str
) -> Router:
    """Return the handler of a collector's API, with `more` routes by path, for agents, other replicas and browsers,
    which are led from / to the page where there is one. /healthz and /readyz need no token, because the kubelet has
    none."""
    table = operations(view)
    document = encode_json(openapi("kubesonar collector", version, table))
    plain = _Plain(view, document, "".join(f"{row.path}  {row.summary}\n" for row in table).encode())
    routes = {row.path: Route(_tagged(row.handler), row.summary) for row in table}

    async def root(request: Request) -> Reply:
        if "/now" in more and "text/html" in request.header(b"accept"):
            return Reply(b"", "", 303, ((b"location", b"/now"), (b"vary", b"accept")))
        return await plain.index(request) if await authenticator.permits(request) else unauthorized_reply()

    return Router(
        {
            "/": Route(root, "this list; the page for browsers", open=True),
            "/healthz": Route(plain.healthz, "200 while the event loop turns", open=True),
            "/readyz": Route(plain.readyz, "200 once started, 503 before", open=True),
            "/metrics": Route(plain.metrics, "metrics, as Prometheus text or OpenMetrics"),
            "/api/v1/openapi.json": Route(plain.openapi, "the OpenAPI document"),
            **more,
            **routes,
        },
        authenticator,
    )


def _tagged(handler: Handler) -> Handler:
    """Return a handler that answers 304 where the client has the same reply already (RFC 9110, section 8.8.3)."""

    async def answer(request: Request) -> Reply:
        try:
            reply = await handler(request)
        except EvidenceAway as away:
            return error_reply(503, str(away), (b"retry-after", b"1"))
        if reply.status != 200 or not isinstance(reply.body, bytes):
            return reply
        tag = b'"' + sha256(reply.body).hexdigest()[:32].encode() + b'"'
        same = tag in [word.strip().removeprefix(b"W/") for word in request.first(b"if-none-match").split(b",")]
        headers = (*reply.headers, (b"etag", tag), (b"cache-control", b"no-cache"))
        if same:
            return Reply(b"", "", 304, headers)
        return msgspec.structs.replace(reply, headers=headers)

    return answer


class _Plain:
    """What is served beside the documents of the API."""

    def __init__(self, view: CollectorView, document: bytes, index: bytes) -> None:
        self._view = view
        self._document = document
        self._index = index

    async def index(self, request: Request) -> Reply:
        return Reply(self._index, "text/plain; charset=utf-8")

    async def healthz(self, request: Request) -> Reply:
        return Reply(b"ok\n", "text/plain")

    async def readyz(self, request: Request) -> Reply:
        reason = self._view.ready()
        return error_reply(503, reason) if reason else Reply(b"ok\n", "text/plain")

    async def metrics(self, request: Request) -> Reply:
        openmetrics = accepts_openmetrics(request.header(b"accept"))
        body = self._view.metrics(openmetrics=openmetrics)
        return Reply(body, OPENMETRICS if openmetrics else TEXT, headers=((b"vary", b"accept"),))

    async def openapi(self, request: Request) -> Reply:
        request.query({})
        return Reply(self._document)


class _Paths:
    def __init__(self, view: CollectorView) -> None:
        self._view = view

    async def verdict(self, request: Request) -> Reply:
        _query(request)
        verdict = self._view.verdict()
        if verdict is None:
            return _not_yet()
        return Reply(encode_json(VerdictDocument(API_SCHEMA, verdict, self._view.durable(), *self._view.replicas())))

    async def incidents(self, request: Request) -> Reply:
        query = _query(request, open=_OPEN, since=_SINCE, part=_text("a part of the network"), **_PAGE)
        wanted, since, part = query.get("open"), query.get("since", 0.0), query.get("part")
        found = (
            record
            for record in self._view.incidents()
            if (wanted is None or (record.closed is None) is (wanted == "true"))
            and (record.closed is None or record.closed >= since)
            and part in (None, record.finding.part)
        )
        return _page(found, query, lambda record: record.id, IncidentPage)

    async def incident(self, request: Request) -> Reply:
        _query(request)
        wanted = request.parameters["id"]
        found = next((record for record in self._view.incidents() if record.id == wanted), None)
        return Reply(encode_json(found)) if found else error_reply(404, "there is no incident of that id")

    async def notices(self, request: Request) -> Reply:
        query = _query(request, what=_WHAT, since=_SINCE, incident=_text("an incident's id"), delivered=_OPEN, **_PAGE)
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
        return _page(found, query, lambda record: record.id, NoticePage)

    async def members(self, request: Request) -> Reply:
        query = _query(request, state=_STATE, **_PAGE)
        state = query.get("state")
        found = (one for one in self._view.members() if state in (None, one.member.state.value))
        return _page(found, query, lambda one: one.member.name, MemberPage)

    async def member(self, request: Request) -> Reply:
        _query(request)
        name = request.parameters["name"]
        found = next((one for one in self._view.members() if one.member.name == name), None)
        if found is None:
            return error_reply(404, "there is no member of that name")
        said = self._view.said(name)
        return Reply(encode_json(MemberDocument(API_SCHEMA, found.member, found.reported, found.unread, said)))

    async def edges(self, request: Request) -> Reply:
        query = _query(request, source=_text("a member"), target=_text("a member or target"), **_PAGE)
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
        return _page(found, query, _edge_key, EdgePage)

    async def edge(self, request: Request) -> Reply:
        _query(request)
        source, target = request.parameters["source"], request.parameters["target"]
        edges = [edge for edge in _edges(await self._view.snapshot(source)) if edge.latest.check.target == target]
        if not edges:
            return error_reply(404, "nothing is known from there to there")
        return Reply(encode_json(EdgeDocument(API_SCHEMA, source, target, tuple(edges))))

    async def history(self, request: Request) -> Reply:
        query = _query(request, **_HISTORY)
        history = self._view.history()
        part = HistoryPart(query["part"]) if "part" in query else None

        def page(schema: int, found: tuple[tuple[HistoryPart, str], ...], following: str) -> HistoryPage:
            series = (history.series(*key, query.get("since", 0.0)) for key in found)
            return HistoryPage(schema, MINUTE, tuple(series), following)

        return _page(history.subjects(part, query.get("subject")), query, " ".join, page, MOST_SERIES)

    async def matrix(self, request: Request) -> Reply:
        _query(request)
        found = await self._view.matrix()
        return Reply(encode_json(found)) if found else _not_yet()

    async def states(self, request: Request) -> Reply:
        _query(request)
        return Reply(encode_json(self._view.states()))

    async def events(self, request: Request) -> Reply:
        _query(request)
        stream = self._view.changes()
        return Reply(stream, EVENTS) if stream else error_reply(503, "too many clients follow changes (api.streams)")


def _edges(snapshot: Snapshot | None) -> list[Edge]:
    """Return the edges in an order that stays."""
    edges = snapshot.edges if snapshot is not None else ()
    return sorted(edges, key=lambda edge: (edge.latest.side, edge.latest.check.id))


def _edge_key(one: EdgeSummary) -> str:
    return f"{one.source} {one.edge.latest.side} {one.edge.latest.check.id}"


def _query(request: Request, **fields: QueryField) -> dict[str, Any]:
    """Return the fields of a query, each as its schema says. Raises BadRequest."""
    found: dict[str, Any] = dict(request.query({name: field.expected for name, field in fields.items()}))
    for name, text in found.items():
        found[name] = _value(name, text, fields[name])
    return found


def _value(name: str, text: str, field: QueryField) -> Any:
    schema = field.schema
    refusal = BadRequest(f'query field {name} is "{text[:40]}", expected {field.expected}')
    if schema["type"] == "string":
        if len(text) > schema.get("maxLength", 300) or text not in schema.get("enum", [text]):
            raise refusal
        return text
    try:
        number = convert_plain(text, int if schema["type"] == "integer" else float, strict=False)
    except Undecodable:
        raise refusal from None
    if not schema["minimum"] <= number <= schema["maximum"]:
        raise refusal
    return number


def _page(
    items: Iterable[Any],
    query: dict[str, Any],
    key: Callable[[Any], str],
    page: Callable[..., Any],
    most: int = MOST_ITEMS,
) -> Reply:
    """Return one `page` of the items, `most` of them at most, and the key of its last one where there are more; 404 for
    an `after` that no item has."""
    after, limit = query.get("after"), query.get("limit", most)
    rest = iter(items)
    if after is not None and not any(key(item) == after for item in rest):
        return error_reply(404, "query field after: there is nothing by that key (any more), begin again without it")
    found = list(islice(rest, limit + 1))
    return Reply(
        encode_json(page(API_SCHEMA, tuple(found[:limit]), key(found[limit - 1]) if len(found) > limit else ""))
    )


def _not_yet() -> Reply:
    return error_reply(503, "there is no judgement yet", (b"retry-after", b"1"))
