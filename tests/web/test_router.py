"""Paths, methods, queries and compression."""

from __future__ import annotations

import zlib
from pathlib import Path

import msgspec
import pytest

from kubesonar.web import Anonymous, BearerToken, Reply, Request, Route, Router
from kubesonar.web.router import accepts_gzip
from tests.web.support import get, run, serving


async def echo(request: Request) -> Reply:
    return Reply(msgspec.json.encode(request.query({"a": "anything", "b": "anything"})))


async def large(request: Request) -> Reply:
    return Reply(b"x" * 5000, "text/plain")


ROUTES = {"/echo": Route(echo, "Echo."), "/large": Route(large, "Large."), "/open": Route(echo, "Open.", open=True)}


def ask_router(target: str, *headers: str, method: str = "GET", token: str = "") -> tuple[int, dict[str, str], bytes]:
    async def work() -> tuple[int, dict[str, str], bytes]:
        router = Router(ROUTES, BearerToken(token) if token else Anonymous())
        async with serving(router) as server:
            return await get(server, target, *headers, method=method)

    return run(work)


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("/echo", {}),
        ("/echo?", {}),
        ("/echo?a=1&b=2%20+%C3%BC", {"a": "1", "b": "2  ü"}),
        ("/echo?a", {"a": ""}),
        ("/echo?a=%zz%", {"a": "%zz%"}),
        ("/echo?a=1=2", {"a": "1=2"}),
        ("/%65cho?%61=1", {"a": "1"}),
    ],
)
def test_queries_are_decoded(target: str, found: dict[str, str]) -> None:
    status, _, body = ask_router(target)
    assert (status, msgspec.json.decode(body)) == (200, found)


@pytest.mark.parametrize(
    ("target", "method", "status", "error"),
    [
        ("/nothing", "GET", 404, "there is nothing here; / lists what there is"),
        ("/echo/../echo", "GET", 404, "there is nothing here; / lists what there is"),
        ("/echo", "POST", 405, "only GET and HEAD are understood here"),
        ("/echo", "DELETE", 405, "only GET and HEAD are understood here"),
        ("/echo?c=1", "GET", 400, 'unknown query field "c", expected a, b'),
        ("/echo?a=1&a=2", "GET", 400, "query field a is given twice, expected anything"),
        ("/echo?" + "&".join("a" * 100), "GET", 400, "query field a is given twice, expected anything"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(target: str, method: str, status: int, error: str) -> None:
    found, headers, body = ask_router(target, method=method)
    assert (found, msgspec.json.decode(body)) == (status, {"error": error})
    assert headers.get("allow") == ("GET, HEAD" if status == 405 else None)


def test_protected_paths_need_the_token_and_open_ones_do_not(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("s3cret")
    status, headers, body = ask_router("/echo", token=str(path))
    assert (status, headers["www-authenticate"]) == (401, 'Bearer realm="kubesonar"')
    assert msgspec.json.decode(body) == {"error": "a bearer token is needed"}
    assert ask_router("/echo", "authorization: Bearer s3cret", token=str(path))[0] == 200
    assert ask_router("/open", token=str(path))[0] == 200


def test_large_bodies_are_compressed_for_those_who_take_it() -> None:
    _, headers, body = ask_router("/large", "accept-encoding: br, gzip;q=1.0")
    assert headers["content-encoding"] == "gzip"
    assert int(headers["content-length"]) == len(body) < 100
    assert zlib.decompress(body, 31) == b"x" * 5000
    _, headers, body = ask_router("/large")
    assert "content-encoding" not in headers
    assert (len(body), headers["vary"]) == (5000, "accept-encoding")
    _, headers, body = ask_router("/large", "accept-encoding: gzip", method="HEAD")
    assert (headers["content-encoding"], body) == ("gzip", b"")


@pytest.mark.parametrize(
    ("said", "taken"),
    [("gzip", True), ("GZIP ; q=0.5", True), ("gzip;q=0", False), ("gzip; q=0.000", False), ("br", False), ("", False)],
)
def test_gzip_is_taken_as_the_client_says(said: str, taken: bool) -> None:
    assert accepts_gzip(said) is taken


async def parameters(request: Request) -> Reply:
    return Reply(msgspec.json.encode(dict(request.parameters) | {"body": request.body.decode()}))


PATTERNS = {
    "/a/{x}": Route(parameters, "One."),
    "/a/{x}/b": Route(parameters, "Two."),
    "/a/known": Route(echo, "Exact."),
    "/post": Route(parameters, "Post.", open=True, method="POST"),
}


@pytest.mark.parametrize(
    ("target", "method", "status", "body"),
    [
        ("/a/1", "GET", 200, {"x": "1", "body": ""}),
        ("/a/%C3%BC/b", "GET", 200, {"x": "ü", "body": ""}),
        ("/a/known", "GET", 200, {}),
        ("/a/{x}", "GET", 200, {"x": "{x}", "body": ""}),
        ("/post", "POST", 200, {"body": ""}),
        ("/post", "GET", 405, {"error": "only POST is understood here"}),
        ("/a/", "GET", 404, {"error": "there is nothing here; / lists what there is"}),
        ("/a/1/c", "GET", 404, {"error": "there is nothing here; / lists what there is"}),
        ("/a/1", "POST", 405, {"error": "only GET and HEAD are understood here"}),
    ],
)
def test_a_part_of_a_path_may_be_a_parameter_and_a_path_may_have_a_method_of_its_own(
    target: str, method: str, status: int, body: dict[str, str]
) -> None:
    async def work() -> tuple[int, dict[str, str], bytes]:
        async with serving(Router(PATTERNS, Anonymous())) as server:
            return await get(server, target, method=method)

    found, _, text = run(work)
    assert (found, msgspec.json.decode(text)) == (status, body)
