"""Hostile senders: whatever they send, one sentence and a status come back, and nothing is kept."""

import gzip
import json

import pytest

from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.reports.mirrors import MirrorOptions, Mirrors
from kubesonar.core.telemetry.reports.report import REPORT_SCHEMA, Report, digest_of_kept
from kubesonar.model import Member, Roster, Snapshot
from kubesonar.reports.auth.reporter import AuthorityAway, Reporter, ReporterRefused
from kubesonar.reports.intake import Intake
from kubesonar.web import Request
from tests.reports.collecting import CLOCK, Collecting
from tests.web.support import ask, parsed, run

ME = Member("pod-1", "node-1", ("10.0.0.1",), 7473, epoch=5)


def report(member: Member = ME, sequence: int = 1) -> bytes:
    return encode_json(Report(REPORT_SCHEMA, sequence, 0, 2.0, "", Snapshot(1, member, 1.0, 1.0, Roster("", ()))))


class Bound:
    """Believes everybody to be that reporter; or raises."""

    def __init__(self, reporter: Reporter | Exception) -> None:
        self.found = reporter

    async def reporter(self, request: Request) -> Reporter:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def taken(
    body: bytes, *headers: tuple[bytes, bytes], reporter: Reporter | Exception | None = None, members: int = 10
) -> tuple[int, dict[str, object], Intake]:
    async def work() -> tuple[int, dict[str, object], Intake]:
        intake = Intake(Mirrors(MirrorOptions(members=members)), Bound(reporter or Reporter()), CLOCK)
        reply = await intake.take(Request(method="POST", body=body, headers=list(headers)))
        assert isinstance(reply.body, bytes)
        return reply.status, json.loads(reply.body), intake

    return run(work)


def test_a_report_gets_a_receipt() -> None:
    status, receipt, _ = taken(report())
    assert status == 200
    assert receipt == {"schema": 1, "sequence": 1, "interval": 2.0, "roster": True}


@pytest.mark.parametrize(
    ("holds", "kept"),
    [("", "what is left"), ("another", "what is left"), (digest_of_kept("what is left"), None)],
)
def test_an_agent_gets_what_it_is_to_hold_until_it_holds_it(holds: str, kept: str | None) -> None:
    class Left:
        text = "what is left"
        digest = digest_of_kept(text)

        def __init__(self) -> None:
            self.offered: list[str] = []
            self.names: list[str] = []

        def offer(self, text: str) -> None:
            self.offered.append(text)

        def given(self, name: str) -> None:
            self.names.append(name)

    async def work() -> dict[str, object]:
        left = Left()
        intake = Intake(Mirrors(MirrorOptions()), Bound(Reporter()), CLOCK, succession=left)
        shown = json.loads(report()) | {"holds": holds, "held": "of a predecessor"}
        reply = await intake.take(Request(method="POST", body=encode_json(shown)))
        assert (left.offered, left.names) == (["of a predecessor"], ["pod-1"])
        assert isinstance(reply.body, bytes)
        found: dict[str, object] = json.loads(reply.body)
        return found

    assert run(work).get("keep") == kept


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", (), 400),
        (report()[:-10], (), 400),
        (b"[" * 1_000_000, (), 400),
        (b'{"schema":1,"head":' + b'{"a":' * 50_000, (), 400),
        (report().replace(b"10.0.0.1", b"\xff\xfe"), (), 400),
        (report().replace(b'"interval":2.0', b'"interval":NaN'), (), 400),
        (report().replace(b'"sequence":1', b'"sequence":1e400'), (), 400),
        (gzip.compress(bytes(10_000_000)), ((b"content-encoding", b"gzip"),), 415),
        (gzip.compress(bytes(10_000_000)), (), 400),
    ],
)
def test_what_is_no_report_is_refused(body: bytes, headers: tuple[tuple[bytes, bytes], ...], status: int) -> None:
    found, error, intake = taken(body, *headers)
    assert found == status
    assert set(error) == {"error"}
    assert len(str(error["error"])) < 250
    assert intake.refused == {status: 1}


@pytest.mark.parametrize(
    ("reporter", "status"),
    [
        (Reporter("node-1", "pod-1"), 200),
        (Reporter("node-2", "pod-1"), 403),
        (Reporter("node-1", "pod-2"), 403),
        (ReporterRefused("no"), 401),
        (AuthorityAway("later"), 503),
    ],
)
def test_a_report_is_taken_only_from_whom_it_claims_to_be(reporter: Reporter | Exception, status: int) -> None:
    assert taken(report(), reporter=reporter)[0] == status


@pytest.mark.parametrize(
    "member",
    [
        Member("10.0.0.1", "10.0.0.1", ("10.0.0.1",), 7473),
        Member("10.0.0.1", "node-1", ("10.0.0.1",), 7473),
        Member("node-1", "node-1", ("10.0.0.1",), 7473),
    ],
)
def test_a_member_whose_roster_knows_no_pods_names_is_known_by_its_node_or_address(member: Member) -> None:
    assert taken(report(member), reporter=Reporter("node-1", "pod-1"))[0] == 200


def test_a_report_of_an_earlier_life_is_refused() -> None:
    async def work() -> list[int]:
        intake = Intake(Mirrors(MirrorOptions()), Bound(Reporter()), CLOCK)
        bodies = (report(), report(Member("pod-1", "node-1", ("10.0.0.1",), 7473, epoch=4)))
        return [(await intake.take(Request(method="POST", body=body))).status for body in bodies]

    assert run(work) == [200, 409]


def test_while_too_many_wait_to_be_judged_none_is_taken_and_all_is_told_afterwards() -> None:
    async def work() -> list[int]:
        full, fed = [True], []
        mirrors = Mirrors(MirrorOptions())
        intake = Intake(mirrors, Bound(Reporter()), CLOCK, lambda now, body: fed.append(body), full=lambda: full[0])
        first = (await intake.take(Request(method="POST", body=report()))).status
        assert (len(mirrors), fed) == (0, [])
        full[0] = False
        second = (await intake.take(Request(method="POST", body=report()))).status
        assert (len(mirrors), fed) == (1, [report()])
        return [first, second]

    assert run(work) == [503, 200]


def test_a_million_member_names_take_no_more_room_than_the_bound() -> None:
    async def work() -> int:
        mirrors = Mirrors(MirrorOptions(members=50))
        intake = Intake(mirrors, Bound(Reporter()), CLOCK)
        for number in range(500):
            body = report(Member(f"m{number}", f"n{number}", (), 7473))
            await intake.take(Request(method="POST", body=body))
        assert intake.refused == {409: 450}
        return len(mirrors)

    assert run(work) == 50


def test_a_body_that_is_too_large_is_refused_before_it_is_read_to_its_end() -> None:
    async def work() -> bytes:
        head = b"POST /api/v1/reports HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n"
        async with Collecting().listening() as collector:
            return await ask(collector.server, head + bytes(2 << 20))

    assert parsed(run(work))[0] == 413
