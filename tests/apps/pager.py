"""A receiver of notices, for tests with real processes."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Pager:
    """A receiver: what it was told, by the notice's id, and how often, and the addresses of the page that came with it.
    While it is `away` it takes nothing."""

    def __init__(self) -> None:
        self.told: dict[str, list[str]] = {}
        self.pages: set[str] = set()
        self.away = False
        pager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if not pager.away:
                    pager.pages.add(body["data"]["page"])
                    pager.told.setdefault(body["data"]["id"], []).append(f"{body['type']} {body['data']['member']}")
                self.send_response(503 if pager.away else 204)
                self.end_headers()

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def events(self) -> list[str]:
        """What was told, each notice once."""
        return [words[0] for words in self.told.values()]
