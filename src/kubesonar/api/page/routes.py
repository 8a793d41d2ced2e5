"""The paths of the page. Read `page_routes` first: it lists them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from kubesonar.api.collector_view import EvidenceAway
from kubesonar.api.documents import CollectorMember, MatrixDocument, StatesDocument
from kubesonar.api.page.access import HTML, TOKEN_COOKIE, PageAccess, private
from kubesonar.api.page.files import PageFiles
from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.integers import read_integer
from kubesonar.core.telemetry.reports.short_history import HistoryPart, ShortHistory
from kubesonar.core.telemetry.state_log import StateSpan
from kubesonar.model import Health, Member, Notice, Snapshot, Verdict, clip
from kubesonar.views.matrix import Matrix
from kubesonar.views.page.checks import target_model, targets_model
from kubesonar.views.page.incidents import incident_model
from kubesonar.views.page.map import map_model
from kubesonar.views.page.moments import PageTimes
from kubesonar.views.page.nodes import MemberReport, node_model, nodes_model
from kubesonar.views.page.now import now_model
from kubesonar.views.page.rendering import VIEWS, PageFrame, PageRenderer
from kubesonar.views.page.timeline import HOURS, timeline_model
from kubesonar.web import FOR_BROWSERS, Authenticator, BadRequest, Reply, Request, Route

_FORMATS = {"html": HTML, "text": "text/plain; charset=utf-8", "json": "application/json"}
_FORMAT = f"one of {', '.join(_FORMATS)}"
_HOURS = f"one of {', '.join(map(str, HOURS))}"
_FIRST = "a whole number up to 100000"
_ZONE = "a zone of at most 300 characters"

_AGE = 1.0
"""Least seconds for which a matrix that was drawn serves others who look. Longer, and the map lags; shorter, and many
viewers take the CPU that judging needs."""

_GLANCED = 32
"""Most members whose map is shown with what is wrong now. More, and the first view is neither light nor quick."""

_SHARE = 4.0
"""Times as long as it took to be drawn for which it does, in a large mesh. More, and the map lags there; less, and
viewers take more than a fifth of a CPU."""

_NOTHING = Verdict(Health.UNKNOWN, "cannot tell: no agent has reported yet", 0.0)


class PageSource(Protocol):
    """The parts of a collector that its page shows. Methods without `async` return at once."""

    def now(self) -> float:
        """Return the time (Unix seconds)."""
        ...

    def verdict(self) -> Verdict | None:
        """Return the latest verdict, None before the first."""
        ...

    def durable(self) -> str:
        """Return why incidents are not durable now, empty where they are."""
        ...

    def incidents(self) -> Iterable[IncidentRecord]:
        """Return all incidents, the latest first."""
        ...

    def members(self) -> Iterable[CollectorMember]:
        """Return all members by name."""
        ...

    async def snapshot(self, name: str) -> Snapshot | None:
        """Return the snapshot of a member as it would give it now, None where it never reported."""
        ...

    async def snapshots(self) -> Iterable[Snapshot]:
        """Return the snapshots of all members that report, with their edges to plain targets at least."""
        ...

    async def matrix(self) -> MatrixDocument | None:
        """Return who reaches whom, None before the first verdict."""
        ...

    def states(self) -> StatesDocument:
        """Return who need not answer, and who did not report."""
        ...

    def history(self) -> ShortHistory:
        """Return the series of the last day."""
        ...

    def state_spans(self, since: float) -> Iterable[StateSpan]:
        """Return when nodes were in other states than serving, as far as that lasted after `since` (Unix seconds)."""
        ...

    def notices(self) -> Iterable[Notice]:
        """Return what receivers were told, the latest first."""
        ...


class _Drawn(msgspec.Struct, frozen=True):
    """A view that is ready to be rendered: the title, the name of its template and its model."""

    title: str
    view: str
    model: msgspec.Struct


_View = Callable[[Request, Mapping[str, str]], Awaitable[_Drawn | None]]


def page_routes(source: PageSource, reader: Authenticator, times: PageTimes) -> dict[str, Route]:
    """Return the routes of the page, for those whom `reader` permits. They are `open` to the router: who may not read
    gets the form for the token and no error."""
    page_files = PageFiles()
    renderer = PageRenderer(page_files.version)
    access, views = PageAccess(reader, renderer), _Views(source, times)

    def route(view: _View, summary: str, **fields: str) -> Route:
        page = _Page(source, renderer, times, view, {**fields, "format": _FORMAT})
        return Route(access.restricted(page.reply), summary, open=True)

    async def elsewhere(request: Request) -> Reply:
        return _notice(renderer, 404, "Not there", "There is nothing at this address.")

    return {
        FOR_BROWSERS: Route(elsewhere, "page: an address at which nothing is", open=True),
        "/now": route(views.now, "page: what is wrong now"),
        "/map": route(views.map, "page: who reaches whom", zone=_ZONE, first=_FIRST),
        "/timeline": route(views.timeline, "page: what happened", hours=_HOURS),
        "/incidents/{id}": route(views.incident, "page: one incident with its evidence"),
        "/nodes": route(views.nodes, "page: all nodes"),
        "/nodes/{name}": route(views.node, "page: one node"),
        "/dns": route(views.dns, "page: questions to DNS servers"),
        "/targets": route(views.targets, "page: what agents check besides each other"),
        "/targets/{name}": route(views.target, "page: one of these"),
        "/static/{name}": Route(page_files.get, "files of the page", open=True),
        "/favicon.ico": Route(page_files.icon, "the icon, where browsers look for it beside text", open=True),
        "/sign-in": Route(access.sign_in, "takes the token of a browser", open=True, method="POST"),
        "/sign-out": Route(access.sign_out, "makes a browser forget it", open=True, method="POST"),
    }


class _Page:
    """Answers requests for one view, in the format that is asked for."""

    def __init__(
        self,
        source: PageSource,
        renderer: PageRenderer,
        times: PageTimes,
        view: _View,
        fields: Mapping[str, str],
    ) -> None:
        self._source = source
        self._renderer = renderer
        self._times = times
        self._view = view
        self._fields = fields

    async def reply(self, request: Request) -> Reply:
        try:
            query = request.query(self._fields)
            form = _one_of("format", query.pop("format", "html"), _FORMATS, _FORMAT)
            drawn = await self._view(request, query)
        except BadRequest as refusal:
            return _notice(self._renderer, 400, "Not understood", str(refusal))
        except EvidenceAway as away:
            return _notice(self._renderer, 503, "Not now", f"{away}: try again in some seconds")
        if drawn is None:
            return _notice(self._renderer, 404, "Not there", "There is nothing of that name here, or not any more.")
        frame = self._frame(drawn, request)
        render = {"html": self._renderer.html, "text": self._renderer.text, "json": self._renderer.json}[form]
        return private(render(frame, drawn.model), _FORMATS[form])

    def _frame(self, drawn: _Drawn, request: Request) -> PageFrame:
        now = self._source.now()
        verdict = self._source.verdict() or msgspec.structs.replace(_NOTHING, at=now)
        fields = [field for field in request.query_string.decode("latin-1").split("&") if field]
        kept = "&".join(field for field in fields if not field.startswith("format="))
        return PageFrame(
            title=clip(drawn.title),
            view=drawn.view,
            address=request.raw_path.decode("latin-1") + (f"?{kept}" if kept else ""),
            health=verdict.verdict,
            sentence=verdict.sentence,
            at=self._times.moment(verdict.at, now),
            observers=verdict.observers,
            members=verdict.members,
            zone=self._times.zone,
            sign_out=bool(request.cookie(TOKEN_COOKIE)),
        )


def _notice(renderer: PageRenderer, status: int, headline: str, sentence: str) -> Reply:
    return private(renderer.message("notice", headline=headline, sentence=sentence), HTML, status)


class _Views:
    """Makes the model of each view."""

    def __init__(self, source: PageSource, times: PageTimes) -> None:
        self._source = source
        self._times = times
        self._drawing: asyncio.Task[tuple[Matrix, ...]] | None = None
        self._until = 0.0

    async def now(self, request: Request, query: Mapping[str, str]) -> _Drawn:
        source, states, members = self._source, self._source.states(), self._members()
        model = now_model(
            source.verdict() or _NOTHING,
            source.incidents(),
            members,
            states.excused,
            states.unread,
            source.durable(),
            await self._matrices() if len(members) <= _GLANCED else (),
            source.now(),
            self._times,
        )
        return _Drawn("Now", "now", model)

    async def map(self, request: Request, query: Mapping[str, str]) -> _Drawn:
        zone, given = query.get("zone", ""), query.get("first", "0")
        first = read_integer(given, 0, 100_000)
        if first is None:
            raise BadRequest(f'query field first is "{given[:40]}", expected {_FIRST}')
        if len(zone) > 300:
            raise BadRequest(f"query field zone is too long, expected {_ZONE}")
        return _Drawn("Map", "map", map_model(await self._matrices(), zone, first))

    async def timeline(self, request: Request, query: Mapping[str, str]) -> _Drawn:
        hours = int(_one_of("hours", query.get("hours", "24"), [str(one) for one in HOURS], _HOURS))
        source, now = self._source, self._source.now()
        spans = source.state_spans(now - 3600.0 * hours)
        model = timeline_model(source.incidents(), spans, source.notices(), hours, now, self._times)
        return _Drawn(VIEWS["timeline"], "timeline", model)

    async def incident(self, request: Request, query: Mapping[str, str]) -> _Drawn | None:
        wanted, source = request.parameters["id"], self._source
        record = next((one for one in source.incidents() if one.id == wanted), None)
        if record is None:
            return None
        history = source.history()
        targets = [subject for _, subject in history.subjects(HistoryPart.TARGET, None)]
        model = incident_model(record, self._members(), targets, history, source.now(), self._times)
        return _Drawn(model.line.what, "incident", model)

    async def nodes(self, request: Request, query: Mapping[str, str]) -> _Drawn:
        states, matrices = self._source.states(), await self._matrices()
        return _Drawn("Nodes", "nodes", nodes_model(self._reports(), matrices, states.excused))

    async def node(self, request: Request, query: Mapping[str, str]) -> _Drawn | None:
        name, source = request.parameters["name"], self._source
        members, matrices = self._members(), await self._matrices()
        reports = [
            msgspec.structs.replace(report, snapshot=await source.snapshot(report.member.name))
            for report in self._reports()
            if name in (report.member.node, report.member.name)
        ]
        model = node_model(
            name, reports, matrices, source.incidents(), members, source.history(), source.now(), self._times
        )
        return None if model is None else _Drawn(name, "node", model)

    async def dns(self, request: Request, query: Mapping[str, str]) -> _Drawn:
        return _Drawn("DNS", "dns", targets_model(await self._source.snapshots(), self._members(), dns=True))

    async def targets(self, request: Request, query: Mapping[str, str]) -> _Drawn:
        return _Drawn("Targets", "targets", targets_model(await self._source.snapshots(), self._members()))

    async def target(self, request: Request, query: Mapping[str, str]) -> _Drawn | None:
        name, source = request.parameters["name"], self._source
        model = target_model(
            name, await source.snapshots(), self._members(), source.history(), source.now(), self._times
        )
        return None if model is None else _Drawn(name, "target", model)

    def _members(self) -> dict[str, Member]:
        return {one.member.name: one.member for one in self._source.members()}

    def _reports(self) -> list[MemberReport]:
        return [MemberReport(one.member, one.reported, one.unread) for one in self._source.members()]

    async def _matrices(self) -> tuple[Matrix, ...]:
        """Return matrices that are not older than a second or a few: drawn once for all who look."""
        loop = asyncio.get_running_loop()
        if self._drawing is None or (self._drawing.done() and loop.time() >= self._until):
            self._drawing = loop.create_task(self._draw())
        return await asyncio.shield(self._drawing)

    async def _draw(self) -> tuple[Matrix, ...]:
        clock = asyncio.get_running_loop().time
        began = clock()
        found = await self._source.matrix()
        self._until = began + max(_AGE, _SHARE * (clock() - began))
        return () if found is None else found.matrices


def _one_of(name: str, given: str, known: Iterable[str], expected: str) -> str:
    if given not in known:
        raise BadRequest(f'query field {name} is "{given[:40]}", expected {expected}')
    return given
