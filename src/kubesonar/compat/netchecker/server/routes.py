"""Chooses the handler of a path, and what becomes of others, as httprouter does
(https://pkg.go.dev/github.com/julienschmidt/httprouter)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Awaitable, Callable

from kubesonar.web import Reply, Request

TEXT_PLAIN = "text/plain; charset=utf-8"
_NOSNIFF = ((b"x-content-type-options", b"nosniff"),)
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_AGENTS = "/api/v1/agents/"

PathHandler = Callable[[Request, str], Awaitable[Reply]]
"""A function that answers a request, given the name at the end of its path (empty without one)."""


class HttpRoutes:
    """A handler. `fixed` has the methods of each path, `agent` those of a path that ends in an agent's name."""

    def __init__(self, fixed: dict[str, dict[str, PathHandler]], agent: dict[str, PathHandler]) -> None:
        self._fixed = fixed
        self._agent = agent

    async def __call__(self, request: Request) -> Reply:
        """Return the answer; else a redirect to the path that was meant, or 405 or 404."""
        methods, name = self._find(request.path)
        if request.method in methods:
            return await methods[request.method](request, name)
        if methods:
            allow = ", ".join(sorted([*methods, "OPTIONS"])).encode()
            if request.method == "OPTIONS":
                return Reply(kind="", headers=((b"allow", allow),))
            return text_error(405, "Method Not Allowed", (b"allow", allow))
        if meant := self._meant(request):
            return _redirect(request, meant)
        return text_error(404, "404 page not found")

    def _find(self, path: str) -> tuple[dict[str, PathHandler], str]:
        if path in self._fixed:
            return self._fixed[path], ""
        name = path.removeprefix(_AGENTS)
        return (self._agent, name) if name != path and "/" not in name else ({}, "")

    def _meant(self, request: Request) -> str:
        """Return the known path that differs in a slash at the end, doubled slashes, dots, or upper case."""
        clean = posixpath.normpath("/" + request.path.lstrip("/"))
        folded = clean.lower()
        if folded.startswith(_AGENTS):
            name = clean[len(_AGENTS) :]
            return _AGENTS + name if _NAME.fullmatch(name) and request.method in self._agent else ""
        for path in (folded, folded + "/"):
            if request.method in self._fixed.get(path, ()):
                return path
        return ""


def text_error(status: int, message: str, *headers: tuple[bytes, bytes]) -> Reply:
    """Return an error as Go's http.Error writes it."""
    return Reply(message.encode() + b"\n", TEXT_PLAIN, status, (*_NOSNIFF, *headers))


def _redirect(request: Request, path: str) -> Reply:
    location = path.encode() + (b"?" + request.query_string if request.query_string else b"")
    headers = ((b"location", location),)
    if request.method != "GET":
        return Reply(kind="", status=307, headers=headers)
    shown = location.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;").replace(b'"', b"&#34;")
    body = b'<a href="%b">Moved Permanently</a>.\n\n' % shown
    return Reply(body, "text/html; charset=utf-8", 301, headers)
