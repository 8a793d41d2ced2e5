"""Paths, as the original's router took them."""

from __future__ import annotations

import asyncio
import re

import pytest

from kubesonar.compat.netchecker.server.routes import HttpRoutes
from kubesonar.web import Reply, Request
from tests.compat.netchecker.rig import recorded


async def answer(request: Request, name: str) -> Reply:
    return Reply(f"{request.path} {name}".encode(), "")


ROUTES = HttpRoutes(
    {"/api/v1/agents/": {"GET": answer}, "/api/v1/ping": {"GET": answer}, "/metrics": {"GET": answer}},
    {"GET": answer, "POST": answer},
)


def ask(method: str, path: str, query: bytes = b"") -> Reply:
    return asyncio.run(_asked(Request(method=method, path=path, query_string=query)))


async def _asked(request: Request) -> Reply:
    return await ROUTES(request)


@pytest.mark.parametrize(
    ("title", "method", "path"),
    [
        ("GET /api/v1/agents", "GET", "/api/v1/agents"),
        ("GET /nothing", "GET", "/nothing"),
        ("POST /api/v1/ping", "POST", "/api/v1/ping"),
        ("OPTIONS /api/v1/ping", "OPTIONS", "/api/v1/ping"),
        ("DELETE /api/v1/agents/x", "DELETE", "/api/v1/agents/x"),
    ],
)
def test_nc07_answers_to_other_requests_are_those_of_the_original(title: str, method: str, path: str) -> None:
    head, body = recorded(title)
    reply = ask(method, path)
    headers = {name.decode(): value.decode() for name, value in reply.fields}
    wanted = {name.lower(): value for name, value in re.findall(r"^([\w-]+): (.*)$", head, re.M)}
    assert (reply.status, reply.body) == (int(head.split()[1]), body)
    assert headers == {name: value for name, value in wanted.items() if name not in ("date", "content-length")}


@pytest.mark.parametrize(
    ("method", "path", "status", "location"),
    [
        ("GET", "/api/v1/ping/", 301, "/api/v1/ping?a=<1>"),
        ("GET", "//api//v1/./ping", 301, "/api/v1/ping?a=<1>"),
        ("GET", "/API/v1/Agents", 301, "/api/v1/agents/?a=<1>"),
        ("GET", "/Api/v1/agents/Pod-A/", 301, "/api/v1/agents/Pod-A?a=<1>"),
        ("POST", "/api/v1/agents/pod-a/", 307, "/api/v1/agents/pod-a?a=<1>"),
    ],
)
def test_nc07_other_spellings_lead_to_the_known_path(method: str, path: str, status: int, location: str) -> None:
    reply = ask(method, path, b"a=<1>")
    assert (reply.status, dict(reply.fields)[b"location"].decode()) == (status, location)
    assert b"<1>" not in bytes(reply.body)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/api/v1/agents/a/b", "/api/v1/agents/a\r\nb/", "/", "", "/../../etc/passwd", "/api"])
def test_nc07_what_leads_nowhere_is_404(path: str) -> None:
    assert ask("GET", path).status == 404


def test_nc07_a_name_ends_the_path() -> None:
    assert ask("POST", "/api/v1/agents/pod-a").body == b"/api/v1/agents/pod-a pod-a"
    assert ask("POST", "/api/v1/agents/").status == 405
