"""A real Prometheus on loopback, for tests."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.apps.agents import until
from tests.ports import free_port

FOLDER = Path(__file__).parents[2] / "deploy" / "monitoring"

_CHOSEN = {"$__rate_interval": "10s", "$cluster": ".*", "$namespace": ".*", "$job": ".*", "$type": ".*"}


def expressions(name: str) -> list[tuple[str, str]]:
    """Every panel's title and expression in a dashboard, with the variables chosen as when it is opened first."""
    panels = json.loads((FOLDER / name).read_text())["panels"]
    found = [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", ())]
    variables = "|".join(map(re.escape, _CHOSEN))
    return [(title, re.sub(variables, lambda name: _CHOSEN[name[0]], text)) for title, text in found]


class RunningPrometheus:
    """Scrapes every second what `jobs` names ("host:port" lists) and evaluates rule files as often."""

    def __init__(self, folder: Path, jobs: Mapping[str, Iterable[str]], rules: Iterable[Path]) -> None:
        self.port = free_port()
        self._log = folder / "prometheus.log"
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(file) for file in rules],
            "scrape_configs": [
                {"job_name": name, "static_configs": [{"targets": list(targets)}]} for name, targets in jobs.items()
            ],
        }
        file = folder / "prometheus.json"
        file.write_text(json.dumps(config))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={file}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                stdout=log,
                stderr=log,
            )

    def get(self, path: str, **query: str) -> Any:
        """The data of an answer of its HTTP API; AssertionError with its words where that is an error."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", f"/api/v1/{path}?{urlencode(query)}")
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert answer["status"] == "success", f"{query}: {answer}"
        return answer["data"]

    def query(self, expression: str) -> list[Any]:
        """The samples of an instant query."""
        result: list[Any] = self.get("query", query=expression)["result"]
        return result

    def has(self, expression: str) -> Callable[[], bool]:
        """Asks whether an expression has samples; for `until`."""
        return lambda: bool(self.query(expression))

    @property
    def complaints(self) -> list[str]:
        """The warnings and errors in its log."""
        return [line for line in self._log.read_text().splitlines() if "level=warn" in line or "level=error" in line]

    def _ready(self) -> bool:
        try:
            return bool(self.get("status/runtimeinfo"))
        except (OSError, ValueError):
            assert self._process.poll() is None, self._log.read_text()
            return False

    def __enter__(self) -> RunningPrometheus:
        try:
            until(self._ready)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


class PlainText:
    """Passes /metrics of `port` on as what a scraper gets that asks for no format in particular: the plain text format.
    (A Prometheus of that age cannot be told to ask for it.)"""

    def __init__(self, port: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
                    connection.request("GET", self.path)
                    answer = connection.getresponse()
                    body = answer.read()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers["Content-Type"])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing: a test's output is its failures."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def __enter__(self) -> PlainText:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
