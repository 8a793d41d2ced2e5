"""Whose notices a collector takes, and what it answers to what is none."""

from __future__ import annotations

import json

import pytest

from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.reports.hand_over import HAND_OVER_SCHEMA, HandOver
from kubesonar.model import Condition, Member, Notice
from kubesonar.reports.auth.reporter import AuthorityAway, Reporter, ReporterRefused
from kubesonar.reports.hand_over_intake import HandOverIntake
from kubesonar.web import Request
from tests.reports.test_intake import Bound
from tests.web.support import run

ME = Member("pod-1", "node-1", ("10.0.0.1",), 7473, epoch=5)
NOTICE = Notice("00ff", Condition.DEAD, "node-3", 1.0, "node-3 is dead")


def body(notice: Notice = NOTICE, *, told: bool = False) -> bytes:
    return encode_json(HandOver(HAND_OVER_SCHEMA, ME, notice, told))


def answered(
    sent: bytes, *, reporter: Reporter | Exception | None = None, taken: bool | None = True
) -> tuple[int, dict[str, object], list[tuple[Notice, bool]]]:
    heard: list[tuple[Notice, bool]] = []

    async def take(notice: Notice, told: bool) -> bool | None:
        heard.append((notice, told))
        return taken

    async def work() -> tuple[int, dict[str, object], list[tuple[Notice, bool]]]:
        intake = HandOverIntake(Bound(reporter or Reporter()), take)
        reply = await intake.take(Request(method="POST", body=sent))
        assert isinstance(reply.body, bytes)
        return reply.status, json.loads(reply.body), heard

    return run(work)


@pytest.mark.parametrize("told", [False, True])
def test_a_notice_is_taken_with_whether_it_was_told(told: bool) -> None:
    status, said, heard = answered(body(told=told))
    assert (status, said, heard) == (200, {"schema": 1, "taken": True}, [(NOTICE, told)])


@pytest.mark.parametrize(("taken", "status"), [(False, 200), (None, 503)])
def test_who_has_no_receivers_or_does_not_lead_says_so(taken: bool | None, status: int) -> None:
    assert answered(body(), taken=taken)[0] == status


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"[" * 100_000,
        body()[:-5],
        body().replace(b'"schema":1', b'"schema":9'),
        body(Notice("no id!", Condition.DEAD, "a", 1.0, "")),
        body(Notice("\u00e9\u4e00\u0663", Condition.DEAD, "a", 1.0, "")),
        body(Notice("", Condition.DEAD, "a", 1.0, "")),
        body(Notice("a" * 65, Condition.DEAD, "a", 1.0, "")),
        body(Notice("00", Condition.DEAD, "a" * 1000, 1.0, "")),
        body(Notice("00", Condition.DEAD, "a", 1.0, "x" * 100_000)),
    ],
)
def test_what_is_no_notice_is_refused_in_one_sentence(sent: bytes) -> None:
    status, said, heard = answered(sent)
    assert (status, heard) == (400, [])
    assert len(str(said["error"])) < 400


@pytest.mark.parametrize(
    ("reporter", "status"),
    [
        (ReporterRefused("who?"), 401),
        (AuthorityAway("nobody answers"), 503),
        (Reporter("node-2", "pod-2"), 403),
        (Reporter("node-1", "pod-1"), 200),
    ],
)
def test_only_whom_it_claims_to_be_from_is_believed(reporter: Reporter | Exception, status: int) -> None:
    assert answered(body(), reporter=reporter)[0] == status
