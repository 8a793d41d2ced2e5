"""Asks a collector for its documents."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import quote

from kubesonar.api.documents import (
    EdgePage,
    EdgeSummary,
    IncidentPage,
    MatrixDocument,
    MemberPage,
    NoticePage,
    VerdictDocument,
)
from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeRecord
from kubesonar.model import Member, Verdict, clip
from kubesonar.net.http.client import Fetcher
from kubesonar.views.matrix import Matrix

_LIMIT = 32 << 20
"""Largest document (bytes). Smaller, and the map of a large cluster is not shown."""

_MOST_PAGES = 20
"""Most pages of a list that are read, of a thousand each. More, and a collector that never ends one holds us."""

_REASON = 160

T = TypeVar("T")
P = TypeVar("P", IncidentPage, NoticePage, MemberPage, EdgePage)


class CollectorSilent(Exception):
    """The collector does not answer, or not as one; the text is a clause that names it."""


class CollectorClient:
    """Reads the documents of the collector at `url`; every method raises CollectorSilent."""

    def __init__(self, url: str, token: str, ca_file: str, timeout: float) -> None:
        self._url = url
        self._token = token
        self._ca_file = ca_file
        self._timeout = timeout

    async def verdict(self) -> Verdict:
        """Return the latest verdict."""
        return (await self._get("/api/v1/verdict", VerdictDocument)).verdict

    async def matrices(self) -> tuple[Matrix, ...]:
        """Return who reaches whom."""
        return (await self._get("/api/v1/matrix", MatrixDocument)).matrices

    async def incidents(self, since: float = 0.0) -> list[IncidentRecord]:
        """Return the incidents that were not over before `since` (Unix seconds), the latest first."""
        pages = await self._pages(f"/api/v1/incidents?since={since:.0f}", IncidentPage)
        return [record for page in pages for record in page.incidents]

    async def notices(self, since: float) -> list[NoticeRecord]:
        """Return the notices made since then (Unix seconds), the latest first."""
        pages = await self._pages(f"/api/v1/notices?since={since:.0f}", NoticePage)
        return [record for page in pages for record in page.notices]

    async def members(self) -> dict[str, Member]:
        """Return each member that reported, by its name."""
        pages = await self._pages("/api/v1/members?", MemberPage)
        return {one.member.name: one.member for page in pages for one in page.members if one.reported is not None}

    async def edges_to(self, target: str) -> list[EdgeSummary]:
        """Return what each member found about the target of that name."""
        pages = await self._pages(f"/api/v1/edges?target={quote(target, safe='')}", EdgePage)
        return [edge for page in pages for edge in page.edges]

    async def _pages(self, path: str, kind: type[P]) -> list[P]:
        """Return the pages of a list; `path` has a query, to which fields can be added."""
        found: list[P] = []
        after = ""
        while len(found) < _MOST_PAGES:
            page = await self._get(f"{path}{after}", kind)
            found.append(page)
            if not page.next:
                break
            after = f"&after={quote(page.next, safe='')}"
        return found

    async def _get(self, path: str, kind: type[T]) -> T:
        with Fetcher(token=self._token, ca_file=self._ca_file, timeout=self._timeout, limit=_LIMIT) as fetcher:
            fetched = await fetcher.get(self._url, path)
        who = f"the collector at {self._url}"
        if fetched.failure:
            raise CollectorSilent(f"{who} does not answer: {clip(fetched.failure, _REASON)}")
        if fetched.status != 200:
            why = _STATUS.get(fetched.status, f"HTTP status {fetched.status}")
            raise CollectorSilent(f"{who} does not tell: {why}")
        try:
            return decode_json(fetched.body, kind)
        except Undecodable as error:
            raise CollectorSilent(f"{who} does not answer as one: {clip(str(error), _REASON)}") from None


_STATUS = {
    401: "it asks for a token, or another one (--token-file)",
    404: "it is no collector, or of another version",
    503: "it has no judgement yet",
}
