"""`kubectl sonar page`: who gets the page, and what the installation is asked with."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from kubesonar.apps.kubectl.page import page_options
from kubesonar.config import ConfigError
from tests.apps.kubectl.installation import TOKEN, collector
from tests.apps.listening import answer
from tests.kube.apiserver import ApiServer


class Page(NamedTuple):
    """The listener: its port, the path with the key, and what reached the installation."""

    port: int
    path: str
    asked: list[bytes]

    def get(self, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        """Asks it as a browser would."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            response.read()
            return response
        finally:
            connection.close()

    @property
    def cookie(self) -> str:
        """What a browser keeps after it has come by the printed address."""
        response = self.get(self.path)
        assert (response.status, response.headers["location"]) == (303, "/")
        kept = response.headers["set-cookie"]
        assert kept.endswith("; Path=/; HttpOnly; SameSite=Strict")
        return kept.partition(";")[0]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    tmp_path = tmp_path_factory.mktemp("page")
    asked: list[bytes] = []

    def served(request: bytes) -> bytes | None:
        asked.append(request)
        return answer(b"<html>the page</html>")(request)

    with ApiServer() as api, collector(api, tmp_path, served):
        config = api.kubeconfig(tmp_path / "config")
        command = [sys.executable, "-m", "kubesonar", "kubectl", "page", "--no-open", "--kubeconfig", config]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "DISPLAY": ""}) as program:
            assert program.stdout is not None
            found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/\?key=\S+)\n", program.stdout.readline())
            try:
                assert found is not None
                yield Page(int(found[1]), found[2], asked)
            finally:
                program.send_signal(signal.SIGINT)
            assert program.wait(20) == 0


@pytest.fixture
def page(running: Page) -> Page:
    running.asked.clear()
    return running


def test_the_page_is_asked_with_the_token_and_without_what_the_browser_says_of_itself(page: Page) -> None:
    response = page.get(
        "/map?zone=a", Cookie=f"other=1; {page.cookie}", Authorization="Bearer guess", Accept="text/html"
    )
    assert response.status == 200
    (request,) = page.asked
    head = request.decode().lower()
    assert head.startswith("get /map?zone=a http/1.1\r\nhost: localhost\r\n")
    assert f"authorization: bearer {TOKEN}\r\n" in head
    assert "accept: text/html\r\n" in head
    assert "cookie" not in head
    assert "guess" not in head


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("/", "GET", {}, 403),
        ("/?key=wrong", "GET", {}, 403),
        ("/", "GET", {"Cookie": "kubesonar_1=wrong"}, 403),
        ("/", "POST", {}, 405),
        ("/", "GET", {"Host": "attacker.example"}, 403),
    ],
)
def test_others_do_not_get_it(page: Page, path: str, method: str, headers: dict[str, str], status: int) -> None:
    assert page.get(path, method, **headers).status == status
    assert page.asked == []


def test_a_name_that_leads_here_gets_nothing_even_with_the_cookie(page: Page) -> None:
    assert page.get("/", Host="attacker.example", Cookie=page.cookie).status == 403
    assert page.get(page.path, Host="attacker.example").status == 403
    assert page.asked == []


@pytest.mark.parametrize("port", ["-1", "65536", "9" * 30])
def test_what_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(ConfigError, match=r"^--port: got .*, expected a number from 0 to 65535$"):
        page_options(["--port", port])
