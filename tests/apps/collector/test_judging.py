"""The process that judges, without a process: frames in, frames out."""

from __future__ import annotations

import msgspec

from kubesonar.api.documents import MatrixDocument
from kubesonar.apps.collector.frames import (
    FRAME_HEAD,
    REPORT_TIME,
    FrameKind,
    JudgeAnswer,
    JudgeQuestion,
    SnapshotQuestion,
)
from kubesonar.apps.collector.judging import JudgingProcess
from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.ledger import Ledger, LedgerOptions
from kubesonar.core.telemetry.reports.mirrors import MirrorOptions
from kubesonar.core.telemetry.reports.outgoing import Outgoing, ReportLog
from kubesonar.core.telemetry.reports.report import Receipt
from kubesonar.model import Check, Fault, Kind, Member, Network, Observation, Path, Roster, Snapshot

START = 1_700_000_000.0
MEMBERS = tuple(Member(f"m{n}", f"node-{n}", (f"10.0.0.{n}",), 7473, epoch=1) for n in range(1, 4))


class Judging:
    """The process, and one agent that reports to it."""

    def __init__(self) -> None:
        self.answers: dict[int, bytes] = {}
        self.begin_anew()
        self.ledger = Ledger(MEMBERS[0], START - 100, LedgerOptions())
        self.ledger.roster_changed(Roster("r1", MEMBERS))
        self.outgoing = Outgoing(self.ledger, ReportLog(self.ledger, lambda: None))

    def begin_anew(self) -> None:
        """Replaces the process by one that knows nothing."""
        self.process = JudgingProcess(MirrorOptions(), self._answered)

    def _answered(self, data: bytes) -> None:
        length, kind, number = FRAME_HEAD.unpack_from(data)
        assert (kind, length) == (FrameKind.ANSWER, len(data) - FRAME_HEAD.size)
        self.answers[number] = data[FRAME_HEAD.size :]

    def report(self, now: float, receipt: Receipt | None = None) -> None:
        check = Check("tcp/pod/m2", Kind.TCP, Path.POD, "m2", "10.0.0.2")
        self.ledger.add(Observation(check, "m1", Network.POD, now, fault=Fault.REFUSED))
        body = encode_json(self.outgoing.report(self.ledger.head(now), 2.0))
        if receipt is not None:
            self.outgoing.received(receipt)
        self.process.take(FrameKind.REPORT, 0, REPORT_TIME.pack(now) + body)

    def ask(self, kind: FrameKind, question: msgspec.Struct) -> bytes:
        self.process.take(kind, 5, encode_json(question))
        self.process.close()
        return self.answers.pop(5)


def test_it_judges_by_the_reports_and_says_what_it_lacks() -> None:
    judging = Judging()
    judging.report(START, Receipt(1, 1, 2.0, roster=True))
    judging.report(START + 2)
    found = msgspec.json.decode(judging.ask(FrameKind.JUDGE, JudgeQuestion(START + 2)), type=JudgeAnswer)
    assert (found.at, found.lacking, found.verdict.members) == (START + 2, (), 3)
    assert found.resident > 0
    judging = Judging()
    judging.report(START, Receipt(1, 1, 2.0))
    judging.begin_anew()
    judging.report(START + 2)
    found = msgspec.json.decode(judging.ask(FrameKind.JUDGE, JudgeQuestion(START + 2)), type=JudgeAnswer)
    assert found.lacking == (MEMBERS[0].identity,)


def test_it_has_the_snapshot_of_each_agent_and_who_reaches_whom() -> None:
    judging = Judging()
    judging.report(START)
    said = msgspec.json.decode(judging.ask(FrameKind.SNAPSHOT, SnapshotQuestion(START, "m1")), type=Snapshot)
    assert [edge.short.failed for edge in said.edges] == [1]
    assert Judging().ask(FrameKind.SNAPSHOT, SnapshotQuestion(START, "nobody")) == b""
    assert msgspec.json.decode(Judging().ask(FrameKind.MATRIX, JudgeQuestion(START)), type=MatrixDocument).at == START
