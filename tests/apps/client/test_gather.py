"""Reading agents, with whatever they answer."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
import uvloop

from kubesonar.apps.client.gather import AgentAccess, Gathered, decode_snapshot, gather, newest
from kubesonar.apps.client.sources import SnapshotSource, sources_of
from kubesonar.model import SCHEMA, Member, Roster, Snapshot
from tests.apps.listening import Answering, answer, answers, bound, on_sockets, on_tcp, snapshots
from tests.core.mesh import Mesh
from tests.core.snapshots import lone


def gathered(
    sources: Sequence[SnapshotSource], access: AgentAccess | None = None, before: Sequence[Roster] = ()
) -> Gathered:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(gather(sources, access, before))


def encoded(snapshot: Snapshot, **changes: object) -> bytes:
    return msgspec.json.encode({**msgspec.to_builtins(snapshot), **changes})


def why(answering: Answering, access: AgentAccess | None = None) -> str:
    """Why the one agent that answers so could not be read."""
    with on_tcp(answering) as url:
        found = gathered(sources_of([url]), access)
    assert not found.snapshots
    assert list(found.unread) == [url]
    return found.unread[url]


def test_all_agents_of_a_directory_are_read(tmp_path: Path) -> None:
    with on_sockets(tmp_path, answers(Mesh(nodes=3))):
        found = gathered(sources_of([str(tmp_path)]))
    assert sorted(s.member.name for s in found.snapshots) == sorted(
        f"node-{n}-{w}" for n in "123" for w in ("pod", "host")
    )
    assert found.unread == {}
    assert not found.over_network


@pytest.mark.parametrize(
    ("answering", "expected"),
    [
        (answer(b"", 401), "token"),
        (answer(b"", 403), "does not let us read"),
        (answer(b"{}", 404), "no snapshot"),
        (answer(b"{}", 503), "HTTP status 503"),
        (answer(b"<html>"), "this is no snapshot"),
        (answer(b"\xff" * 9), "this is no snapshot"),
        (answer(b"[" * 200_000), "this is no snapshot"),
        (answer(b'{"schema": 1, "member": 7}'), "the snapshot is malformed"),
        (answer(b'{"schema": 2, "member": 7}'), "version mismatch: the snapshot has schema 2, expected 1"),
        (answer(encoded(lone(), schema=9)), "version mismatch: the snapshot has schema 9, expected 1"),
        (answer(b"x" * (9 << 20)), "larger than 8 MiB"),
        (lambda request: b"220 smtp.example ESMTP\r\n\r\n", "not HTTP"),
        (lambda request: b"", "without an answer"),
        (lambda request: b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf", "in the middle of the body"),
        (lambda request: b"HTTP/1.1 200 OK\r\nx: " + b"y" * (10 << 20), "more than 1048576 bytes of headers"),
    ],
)
def test_what_is_no_snapshot_is_refused_with_a_reason(answering: Answering, expected: str) -> None:
    reason = why(answering)
    assert expected in reason and len(reason) < 200 and reason.isprintable()


def test_who_never_answers_is_left_alone_after_the_time_out_and_holds_up_nobody(tmp_path: Path) -> None:
    slow = {f"slow-{n}": (lambda request: None) for n in range(20)}
    with on_sockets(tmp_path, {"a": answer(encoded(lone())), **slow}):
        found = gathered(sources_of([str(tmp_path)]), AgentAccess(timeout=0.3))
    assert [s.member.name for s in found.snapshots] == ["a"]
    assert found.unread == dict.fromkeys(slow, "no answer within 0.3 s (waiting for data)")


def test_nobody_there_is_said_by_name(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:  # as a process leaves it that was killed
        left.bind(f"{tmp_path}/a.sock")
    assert "refused" in gathered([SnapshotSource(f"unix:{tmp_path}/a.sock", "a")]).unread["a"]
    assert "No such file" in gathered([SnapshotSource(f"unix:{tmp_path}/b.sock", "b")]).unread["b"]


def test_an_answer_in_chunks_is_read() -> None:
    body = encoded(lone())
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    with on_tcp(lambda request: b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked) as url:
        assert gathered(sources_of([url])).snapshots == [lone()]


def test_the_token_is_shown() -> None:
    asked: list[bytes] = []

    def guarded(request: bytes) -> bytes | None:
        asked.append(request)
        return answer(encoded(lone()))(request)

    with on_tcp(guarded) as url:
        gathered(sources_of([url]), AgentAccess(token="s3cret"))
        gathered(sources_of([url]))
    assert b"authorization: Bearer s3cret\r\n" in asked[0] and b"authorization" not in asked[1]


def test_the_token_is_shown_to_those_that_a_given_agent_names_and_to_nobody_that_these_name() -> None:
    """Nor to where any of them redirects."""
    asked: list[bytes] = []

    def recorded(request: bytes) -> bytes | None:
        asked.append(request)
        return answer(encoded(lone("c")))(request)

    with on_tcp(recorded) as strange:
        port = int(strange.rpartition(":")[2])
        stranger = Member("c", "c", ("127.0.0.1",), port)
        redirecting = b"HTTP/1.1 302 x\r\nlocation: %b/\r\ncontent-length: 0\r\n\r\n" % strange.encode()
        with (
            on_tcp(answer(encoded(lone("b", roster=(stranger,))))) as named,
            on_tcp(lambda request: redirecting) as elsewhere,
        ):
            ports = [int(url.rpartition(":")[2]) for url in (named, elsewhere)]
            roster = (Member("b", "b", ("127.0.0.1",), ports[0]), Member("d", "d", ("127.0.0.1",), ports[1]))
            with on_tcp(answer(encoded(lone("a", roster=roster)))) as given:
                found = gathered(sources_of([given]), AgentAccess(token="s3cret"))
    assert [s.member.name for s in found.snapshots] == ["a", "b"]
    assert found.unread == {"d": "HTTP status 302"}
    assert asked == []


def test_one_address_leads_to_the_others_through_the_roster() -> None:
    sock, gone = bound(), bound()
    port, dead = sock.getsockname()[1], gone.getsockname()[1]
    members = (
        Member("a", "a", ("127.0.0.1",), 1),
        Member("b", "b", ("::1", "127.0.0.1"), port),  # answers by one of its families only
        Member("c", "c", ("127.0.0.1",), dead),
        Member("evil", "evil", ("metadata.example", "169.254.0.1/x"), 80),
    )
    with gone, on_tcp(answer(encoded(lone("b"))), sock), on_tcp(answer(encoded(lone("a", roster=members)))) as url:
        everybody = gathered(sources_of([url]))
        only = gathered(sources_of([url]), AgentAccess(everybody=False))
    assert [s.member.name for s in everybody.snapshots] == ["a", "b"]
    assert everybody.over_network
    assert list(everybody.unread) == ["c"]  # and a name that is no address is not resolved
    assert [s.member.name for s in only.snapshots] == ["a"] and only.unread == {}


def test_the_others_are_asked_by_what_was_read_before_where_the_one_address_does_not_answer() -> None:
    gone, sock = bound(), bound()
    dead, port = (each.getsockname()[1] for each in (gone, sock))
    roster = Member("a", "a", ("127.0.0.1",), dead), Member("b", "b", ("127.0.0.1",), port)
    sources = sources_of([f"http://127.0.0.1:{dead}"])
    with gone, on_tcp(answer(encoded(lone("b", roster=roster))), sock):
        found = gathered(sources, before=[Roster("1", roster)])
        alone = gathered(sources)
    assert [s.member.name for s in found.snapshots] == ["b"]
    assert list(found.unread) == ["a"]
    assert (alone.snapshots, len(alone.unread)) == ([], 1)


def test_somebody_else_behind_a_name_does_not_count(tmp_path: Path) -> None:
    with on_sockets(tmp_path, {"a": answer(encoded(lone("b")))}):
        assert gathered(sources_of([str(tmp_path)])).unread == {"a": "somebody else answers: b"}


def test_two_addresses_of_one_member_are_one_and_an_unread_address_gets_its_members_name() -> None:
    gone = bound()
    port = gone.getsockname()[1]
    roster = (Member("c", "c", ("127.0.0.1",), port),)
    new, old = answer(encoded(lone("a", at=200.0, roster=roster))), answer(encoded(lone("a", at=100.0)))
    with gone, on_tcp(new) as one, on_tcp(old) as two:
        found = gathered(sources_of([one, two, f"http://127.0.0.1:{port}"]))
    assert [s.at for s in found.snapshots] == [200.0]
    assert list(found.unread) == ["c"]


def test_a_silent_server_is_asked_no_longer_than_the_time_out() -> None:
    began = time.monotonic()
    assert why(lambda request: None, AgentAccess(timeout=0.2)).startswith("no answer within 0.2 s")
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"at": 1e300}, "`float` <= 100000000000.0 - at `$.at`"),
        ({"started": -1.0}, "`float` >= 0.0 - at `$.started`"),
        (
            {"troubles": [{"since": 1.0, "until": 1e308, "cause": "x"}]},
            "`float` <= 100000000000.0 - at `$.troubles[0].until`",
        ),
    ],
)
def test_numbers_that_cannot_be_are_refused(changes: dict[str, object], expected: str) -> None:
    reason = why(answer(encoded(lone(), **changes)))
    assert reason == f"the snapshot is malformed: Expected {expected}"


@pytest.mark.parametrize(
    "trial", [{"sent": -5}, {"received": -9}, {"at": -1e308}, {"rate": 1e308}, {"rtt": -1.0}, {"number": 10**18}]
)
def test_one_trial_that_cannot_be_is_enough_to_refuse_a_snapshot(trial: dict[str, float]) -> None:
    told = snapshots(Mesh(nodes=2))["node-1-pod"]
    assert isinstance(told, Snapshot)
    first, *rest = told.edges
    worse = msgspec.structs.replace(first.trials[0], **trial)
    sick = msgspec.structs.replace(first, trials=(worse, *first.trials[1:]))
    found = why(
        answer(msgspec.json.encode(msgspec.structs.replace(told, edges=(sick, *rest)))), AgentAccess(everybody=False)
    )
    assert found.startswith("the snapshot is malformed: Expected ")
    assert "at `$.edges[0].trials[0][" in found


def test_what_was_encoded_is_decoded_whatever_a_later_version_adds() -> None:
    assert decode_snapshot(encoded(lone())) == lone()
    assert decode_snapshot(encoded(lone(), findings=[{"part": "x"}], mood="good")) == lone()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "this is no snapshot: "),
        (b"\xff\xff", "this is no snapshot: "),
        (b"[" * 200_000, "this is no snapshot: "),
        (encoded(lone(), member={"name": 7}), "the snapshot is malformed: "),
        (encoded(lone(), at=-1.0), "the snapshot is malformed: Expected `float` >= 0.0 - at `$.at`"),
        (
            encoded(lone(), schema=SCHEMA + 1),
            f"version mismatch: the snapshot has schema {SCHEMA + 1}, expected {SCHEMA}",
        ),
        (encoded(lone(), schema=SCHEMA + 1, member=7), f"version mismatch: the snapshot has schema {SCHEMA + 1}"),
    ],
)
def test_what_is_none_is_refused_with_a_reason(body: bytes, reason: str) -> None:
    found = decode_snapshot(body)
    assert isinstance(found, str)
    assert found.startswith(reason)


def test_the_latest_snapshot_of_the_latest_life_is_kept() -> None:
    old, new, before = lone(at=100.0, epoch=2), lone(at=200.0, epoch=2), lone(at=300.0, epoch=1)
    assert newest([old, new, before, lone("b")]) == {"a": new, "b": lone("b")}
    assert newest([before, new, old]) == {"a": new}
