"""`kubesonar keys status`, asked of agents that answer from files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import msgspec
import pytest

from kubesonar.cli import main as command
from kubesonar.model import SCHEMA, Member
from tests.core.snapshots import snapshot_of


@contextmanager
def agent(name: str, *keys: int, others: tuple[Member, ...] = ()) -> Iterator[Member]:
    """An agent that knows these keys, and a roster with itself and the others."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(bodies[0])))
            self.end_headers()
            self.wfile.write(bodies[0])

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    me = Member(name, f"node-{name}", ("127.0.0.1",), server.server_address[1])
    bodies.append(msgspec.json.encode(snapshot_of(me, members=(me, *others), keys=keys)))
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield me
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def asked(member: Member, *more: str) -> int:
    return command(["keys", "status", f"http://127.0.0.1:{member.port}", *more])


def test_all_members_of_the_roster_are_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with agent("b", 1, 2) as b, agent("a", 1, 2, others=(b,)) as a:
        assert asked(a) == 0
        assert capsys.readouterr().out.splitlines()[0] == "all agents know keys 1, 2 and sign with 1 (2 of 2)"
        assert asked(a, "--know", "2") == 0
        assert asked(a, "--sign", "2") == 1
        assert asked(a, "--know", "3", "--wait", "0.2") == 1


def test_the_answer_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    with agent("b", 1) as b, agent("a", 2, 1, others=(b,)) as a:
        assert asked(a, "--know", "2", "--json") == 1
    assert json.loads(capsys.readouterr().out) == {
        "schema": SCHEMA,
        "agreed": False,
        "sentence": "1 of 2 agents do not know key 2: b",
        "agents": [
            {"member": "a", "node": "node-a", "knows": [1, 2], "signs": 2},
            {"member": "b", "node": "node-b", "knows": [1], "signs": 1},
        ],
        "unread": {},
    }


@pytest.mark.parametrize("wrong", [["--know", "0"], ["--sign", "256"], ["--know", "x"], ["nowhere"]])
def test_wrong_usage(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["keys", "status", *wrong]) == 2
    assert capsys.readouterr().err
