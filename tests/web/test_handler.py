"""Requests as handlers see them, and a handler mounted behind another server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from kubesonar.web import Anonymous, Handler, Reply, Request, Route, Router

Message = MutableMapping[str, Any]
SAME = ("method", "scheme", "path", "raw_path", "query_string", "headers", "client")


def mounted(handler: Handler) -> Callable[[Message, Callable[[], Awaitable[Message]]], Awaitable[Reply]]:
    """What the docstring of `kubesonar.web.handler` does with Starlette's request, done with a bare ASGI scope."""

    async def endpoint(scope: Message, receive: Callable[[], Awaitable[Message]]) -> Reply:
        fields = {name: scope[name] for name in SAME}
        return await handler(Request(body=(await receive())["body"], **fields))

    return endpoint


def test_a_handler_is_mounted_behind_an_asgi_server() -> None:
    async def echo(request: Request) -> Reply:
        seen = [request.method, request.target.decode(), request.query({"a": "anything"}), request.header(b"x")]
        return Reply(msgspec.json.encode([*seen, len(request.body), request.client, request.scheme]))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/e c",
        "raw_path": b"/e%20c",
        "query_string": b"a=1",
        "root_path": "",
        "headers": [(b"x", b"one"), (b"x", b"two")],
        "client": ("10.0.0.1", 4711),
        "server": ("10.0.0.2", 80),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"abc", "more_body": False}

    reply = asyncio.run(_awaited(mounted(Router({"/e c": Route(echo, "")}, Anonymous()))(scope, receive)))
    assert isinstance(reply.body, bytes)
    assert msgspec.json.decode(reply.body) == [
        "GET",
        "/e%20c?a=1",
        {"a": "1"},
        "one, two",
        3,
        ["10.0.0.1", 4711],
        "https",
    ]
    assert reply.fields == [(b"content-type", b"application/json")]


async def _awaited(reply: Awaitable[Reply]) -> Reply:
    return await reply


def test_a_header_is_read_joined_or_only_its_first_value() -> None:
    request = Request(headers=[(b"a", b"1"), (b"b", b"2"), (b"a", b"3")])
    assert (request.header(b"a"), request.first(b"a")) == ("1, 3", b"1")
    assert (request.header(b"c"), request.first(b"c")) == ("", b"")


def test_a_cookie_is_found_among_others() -> None:
    request = Request(headers=[(b"cookie", b"a=1; b=2=3;c; d=")])
    assert [request.cookie(name) for name in (b"a", b"b", b"c", b"d", b"e")] == [b"1", b"2=3", b"", b"", b""]
    assert Request().cookie(b"a") == b""
