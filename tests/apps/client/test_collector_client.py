"""A collector's documents, page by page, over real sockets."""

from __future__ import annotations

import asyncio

import pytest

from kubesonar.api.documents import CollectorMember, EdgePage, MemberPage, NoticePage
from kubesonar.apps.client.collector_client import CollectorClient, CollectorSilent
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeRecord
from kubesonar.core.encoding import encode_json
from kubesonar.model import Condition, Member, Notice
from tests.apps.listening import answer, on_tcp


def told(id: str) -> NoticeRecord:
    return NoticeRecord(1, Notice(id, Condition.DEAD, "node-3", 100.0, "node-3 is dead"))


def notices(url: str) -> list[str]:
    client = CollectorClient(url, "", "", 5.0)
    return [record.id for record in asyncio.run(client.notices(90.4))]


def test_a_list_is_read_page_by_page_until_it_ends() -> None:
    asked: list[bytes] = []

    def served(request: bytes) -> bytes | None:
        asked.append(request.split(b" ")[1])
        more = b"after=" not in request
        page = NoticePage(1, (told("bb"),), "bb") if more else NoticePage(1, (told("aa"),), "")
        return answer(encode_json(page))(request)

    with on_tcp(served) as url:
        assert notices(url) == ["bb", "aa"]
    assert asked == [b"/api/v1/notices?since=90", b"/api/v1/notices?since=90&after=bb"]


def test_pages_of_members_and_edges_are_read_on_whatever_their_names_are() -> None:
    asked: list[str] = []

    def served(request: bytes) -> bytes | None:
        path = request.split(b" ")[1].decode()
        asked.append(path)
        after = "" if "after=" in path else "kubesonar-x7k2p & node/1"
        if path.startswith("/api/v1/members"):
            member = Member("kubesonar-x7k2p" if after else "last", "node-1", ("10.0.0.1",), 7473)
            return answer(encode_json(MemberPage(1, (CollectorMember(member, 1.0, ""),), after)))(request)
        return answer(encode_json(EdgePage(1, (), after)))(request)

    with on_tcp(served) as url:
        client = CollectorClient(url, "", "", 5.0)
        assert list(asyncio.run(client.members())) == ["kubesonar-x7k2p", "last"]
        asyncio.run(client.edges_to("https://a/?b=c&d #"))
    assert asked == [
        "/api/v1/members?",
        "/api/v1/members?&after=kubesonar-x7k2p%20%26%20node%2F1",
        "/api/v1/edges?target=https%3A%2F%2Fa%2F%3Fb%3Dc%26d%20%23",
        "/api/v1/edges?target=https%3A%2F%2Fa%2F%3Fb%3Dc%26d%20%23&after=kubesonar-x7k2p%20%26%20node%2F1",
    ]


def test_a_list_that_never_ends_is_read_in_part() -> None:
    with on_tcp(answer(encode_json(NoticePage(1, (told("aa"),), "aa")))) as url:
        assert notices(url) == 20 * ["aa"]


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"", 401, "asks for a token"),
        (b"", 503, "no judgement yet"),
        (b"", 418, "HTTP status 418"),
        (b"{}", 200, "as one"),
    ],
)
def test_what_is_no_list_is_refused_in_a_sentence(body: bytes, status: int, why: str) -> None:
    with on_tcp(answer(body, status)) as url, pytest.raises(CollectorSilent, match=f"^the collector at {url} .*{why}"):
        notices(url)
