"""The page over HTTP: its views in every format, who may see it, and what browsers are told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from kubesonar.api.page import page_routes
from kubesonar.api.page.access import TOKEN_COOKIE
from kubesonar.web import Anonymous, BearerToken, Reply, Request, Router, cookie_value
from tests.core.mesh import Mesh
from tests.views.page.source import UTC, MeshSource

SOURCE = MeshSource(Mesh().cut("node-2"))
(RECORD,) = SOURCE.incidents()
VIEWS = (
    "/now",
    "/map",
    "/timeline",
    f"/incidents/{RECORD.id}",
    "/nodes",
    "/nodes/node-2",
    "/dns",
    "/targets",
    "/targets/dns-1",
)
PAGE = Router(page_routes(SOURCE, Anonymous(), UTC), Anonymous())


def ask(
    target: str,
    *headers: tuple[bytes, bytes],
    router: Router = PAGE,
    method: str = "GET",
    body: bytes = b"",
    scheme: str = "http",
) -> Reply:
    path, _, query = target.partition("?")
    request = Request(
        method=method,
        scheme=scheme,
        path=path,
        raw_path=path.encode(),
        query_string=query.encode(),
        headers=list(headers),
        body=body,
    )
    return asyncio.run(_awaited(router, request))


async def _awaited(router: Router, request: Request) -> Reply:
    return await router(request)


def said(reply: Reply) -> str:
    assert isinstance(reply.body, bytes)
    return reply.body.decode()


def header(reply: Reply, name: bytes) -> str:
    return dict(reply.fields).get(name, b"").decode()


@pytest.fixture
def guarded(tmp_path: Path) -> Router:
    (tmp_path / "token").write_text("word\n")
    bearer = BearerToken(str(tmp_path / "token"), cookie=TOKEN_COOKIE)
    return Router(page_routes(SOURCE, bearer, UTC), bearer)


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_html_text_and_json(view: str) -> None:
    verdict = SOURCE.verdict()
    assert verdict is not None
    html, text, plain = (ask(f"{view}?format={form}") for form in ("html", "text", "json"))
    assert [reply.status for reply in (html, text, plain)] == [200] * 3
    assert header(html, b"content-type") == "text/html; charset=utf-8"
    assert f'href="{view}?format=json"' in said(html) and f'href="{view}?format=text"' in said(html)
    assert said(text).startswith(f"Sick: {verdict.sentence}\n")
    assert json.loads(said(plain))["sentence"] == verdict.sentence


def test_browsers_are_told_to_load_nothing_from_elsewhere_and_to_keep_nothing() -> None:
    reply = ask("/now")
    policy = header(reply, b"content-security-policy")
    assert policy.startswith("default-src 'self';") and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy and "form-action 'self'" in policy
    assert header(reply, b"x-content-type-options") == "nosniff"
    assert header(reply, b"cache-control") == "no-store"


@pytest.mark.parametrize(
    ("target", "status", "sentence"),
    [
        ("/now?format=xml", 400, "query field format is &#34;xml&#34;, expected one of html, text, json"),
        ("/now?zone=a", 400, "unknown query field"),
        ("/map?first=-1", 400, "query field first"),
        ("/map?first=" + "9" * 5000, 400, "query field first"),
        ("/map?first=000000001" + "9" * 5000, 400, "query field first"),
        ("/map?zone=" + "z" * 301, 400, "query field zone is too long"),
        ("/timeline?hours=3", 400, "expected one of 1, 6, 24"),
        ("/nodes/nobody", 404, "nothing of that name"),
        ("/targets/<b>", 404, "nothing of that name"),
        ("/incidents/0", 404, "nothing of that name"),
    ],
)
def test_what_is_not_there_or_not_understood_is_said_as_a_page(target: str, status: int, sentence: str) -> None:
    reply = ask(target)
    assert (reply.status, header(reply, b"content-type")) == (status, "text/html; charset=utf-8")
    assert sentence in said(reply)


@pytest.mark.parametrize("target", ["/nowhere", "/now/", "/api/v2/verdict", "/sign-in", "/incidents/"])
def test_a_browser_is_told_of_an_address_without_anything_by_a_page_and_others_are_not(target: str) -> None:
    browser = ask(target, (b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8"))
    assert (browser.status, header(browser, b"content-type")) == (404, "text/html; charset=utf-8")
    assert 'href="/now"' in said(browser) and header(browser, b"content-security-policy")
    other = ask(target, (b"accept", b"*/*"))
    assert (other.status, header(other, b"content-type")) == (405 if target == "/sign-in" else 404, "application/json")


def test_a_view_keeps_its_address_in_the_other_formats() -> None:
    assert 'href="/timeline?hours=6&amp;format=text"' in said(ask("/timeline?hours=6"))


def test_only_of_a_small_mesh_the_first_view_has_the_map() -> None:
    assert 'class="small-map"' in said(ask("/now"))
    large = MeshSource(Mesh(nodes=17, neighbours=1, plain=()), 6.0)
    page = Router(page_routes(large, Anonymous(), UTC), Anonymous())
    assert 'class="small-map"' not in said(ask("/now", router=page))


def test_files_are_open_and_kept() -> None:
    for name, kind in (("page.css", "text/css"), ("page.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
        reply = ask(f"/static/{name}")
        assert (reply.status, header(reply, b"content-type").startswith(kind)) == (200, True)
        assert "immutable" in header(reply, b"cache-control")
    assert ask("/static/other").status == 404
    assert ask("/favicon.ico").body == ask("/static/icon.svg").body


def test_before_anything_is_known_it_cannot_be_told() -> None:
    source = MeshSource(Mesh(nodes=2))
    source.said = None
    page = Router(page_routes(source, Anonymous(), UTC), Anonymous())
    assert "cannot tell: no agent has reported yet" in said(ask("/now", router=page))


def test_who_has_no_token_gets_the_form_that_asks_for_it(guarded: Router) -> None:
    for view in VIEWS:
        reply = ask(view, router=guarded)
        assert reply.status == 401
        assert f'name="to" value="{view}"' in said(reply) and RECORD.finding.sentence not in said(reply)
    assert ask("/static/page.css", router=guarded).status == 200


def test_the_token_is_kept_in_a_cookie_which_then_opens(guarded: Router) -> None:
    reply = ask("/sign-in", router=guarded, method="POST", body=b"token=word&to=%2Fmap%3Fzone%3Da")
    cookie = header(reply, b"set-cookie")
    assert (reply.status, header(reply, b"location")) == (303, "/map?zone=a")
    assert (
        cookie
        == f"kubesonar_token={cookie_value(b'word').decode()}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict"
    )
    kept = (b"cookie", cookie.partition(";")[0].encode())
    assert ask("/now", kept, router=guarded).status == 200
    assert ask("/now", (b"authorization", b"Bearer word"), router=guarded).status == 200
    assert ask("/now", (b"cookie", b"kubesonar_token=00"), router=guarded).status == 401
    out = ask("/sign-out", kept, router=guarded, method="POST")
    assert header(out, b"set-cookie").startswith("kubesonar_token=; Path=/; Max-Age=0;")
    assert "Sign out" in said(ask("/now", kept, router=guarded))
    assert "Sign out" not in said(ask("/now", (b"authorization", b"Bearer word"), router=guarded))


@pytest.mark.parametrize(("scheme", "headers"), [("https", ()), ("http", ((b"x-forwarded-proto", b"https"),))])
def test_the_cookie_of_an_encrypted_connection_is_for_such_only(
    guarded: Router, scheme: str, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    reply = ask("/sign-in", *headers, router=guarded, method="POST", body=b"token=word&to=/now", scheme=scheme)
    assert header(reply, b"set-cookie").endswith("; Secure")


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a%0Db", "/%E2%82%AC"]
)
def test_nobody_is_led_elsewhere_after_signing_in(guarded: Router, to: str) -> None:
    body = b"token=word&to=" + to.encode()
    assert header(ask("/sign-in", router=guarded, method="POST", body=body), b"location") == "/now"


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"token=wrong&to=/map", 401, "This token is not in force."),
        (b"", 401, "This token is not in force."),
        (b"token=word&more=1", 400, "unknown query field"),
        (b"token=" + b"a" * 9000, 400, "may have at most 8192 bytes"),
        (b"token=\xff&to=/map", 401, "not in force"),
    ],
)
def test_a_wrong_token_opens_nothing(guarded: Router, body: bytes, status: int, sentence: str) -> None:
    reply = ask("/sign-in", router=guarded, method="POST", body=body)
    assert reply.status == status and sentence in said(reply)
    assert header(reply, b"set-cookie") == ""


def test_a_link_from_another_site_is_opened_by_the_browser_itself(guarded: Router) -> None:
    elsewhere = (b"sec-fetch-site", b"cross-site")
    assert 'http-equiv="refresh"' in said(ask("/map", elsewhere, router=guarded))
    assert 'http-equiv="refresh"' not in said(ask("/map", (b"sec-fetch-site", b"same-origin"), router=guarded))


def test_many_who_look_at_once_share_one_drawing() -> None:
    class Counting(MeshSource):
        drawn = 0

        async def matrix(self):  # type: ignore[no-untyped-def]
            self.drawn += 1
            await asyncio.sleep(0)
            return await super().matrix()

    source = Counting(Mesh(nodes=2))
    page = Router(page_routes(source, Anonymous(), UTC), Anonymous())

    async def all_at_once() -> None:
        asked = Request(path="/map", raw_path=b"/map")
        await asyncio.gather(*(page(msgspec.structs.replace(asked)) for _ in range(10)))

    asyncio.run(all_at_once())
    assert source.drawn == 1
