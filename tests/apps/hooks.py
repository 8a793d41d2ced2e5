"""A receiver of webhooks in a thread, for tests of programs that run as processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

_LIMIT = 1 << 20


class Hooks:
    """`bodies` are the notices that were posted, in order, doubles left out by their ids."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.url = ""

    def take(self, id: str, body: dict[str, Any]) -> None:
        """One delivery."""
        if id not in self.ids:
            self.bodies.append(body)
        self.ids.append(id)

    def told(self, what: str, subject: str) -> dict[str, Any] | None:
        """The notice that this became of that member."""
        data = (body["data"] for body in self.bodies)
        found = (notice for notice in data if (notice["what"], notice["member"]) == (what, subject))
        return next(found, None)


@contextmanager
def receiving() -> Iterator[Hooks]:
    """A receiver on a free port of loopback."""
    hooks = Hooks()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(min(int(self.headers["content-length"]), _LIMIT))
            hooks.take(self.headers["webhook-id"], json.loads(body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hooks.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hooks
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
