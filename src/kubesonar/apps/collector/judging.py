"""The process that judges for a collector: `python -m kubesonar.apps.collector.judging OPTIONS`.

It gets every report that the collector takes and has the snapshots of all agents, while the collector keeps only what
receipts need: so judging stalls neither reports nor answers, and nothing is held twice. It ends with the collector,
whose end closes its input. Reports are taken by the main thread, and what takes long is worked out by another.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

from kubesonar.api.documents import API_SCHEMA, MatrixDocument
from kubesonar.apps.client.gather import Gathered, one_of_each
from kubesonar.apps.client.times import clock
from kubesonar.apps.collector.frames import (
    REPORT_TIME,
    FrameKind,
    JudgeAnswer,
    JudgeQuestion,
    SnapshotQuestion,
    frame,
    frames,
)
from kubesonar.core.decoding import decode_json
from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.joining.sifted_source import SiftedSources
from kubesonar.core.diagnosis.verdict import Known, verdict_on
from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.reports.mirror import summed
from kubesonar.core.telemetry.reports.mirrors import Collected, MirrorOptions, Mirrors
from kubesonar.core.telemetry.reports.report import Receipt, decode_report
from kubesonar.core.telemetry.reports.short_history import BETWEEN_MEMBERS
from kubesonar.model import Roster, Snapshot
from kubesonar.runtime.proc import process_usage
from kubesonar.views.matrix import matrices

_COLLECT_ALL = 600
"""Judgements between two full collections of garbage. Fewer, and each of them takes a second per million edges more
often; more, and what lives long and is dropped stays in memory for longer."""


_NO_ROSTER = Roster("", ())


class JudgingProcess:
    """Takes frames; `write` gets the answers. Answers come in any order."""

    def __init__(self, options: MirrorOptions, write: Callable[[bytes], None]) -> None:
        self._mirrors = Mirrors(options)
        self._write = write
        self._writing = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "judging")
        self._lacking: dict[str, None] = {}
        self._judgements = 0
        self._before = SiftedSources()

    def take(self, kind: FrameKind, number: int, body: bytes) -> None:
        """Take a report, or begin to work out an answer."""
        match kind:
            case FrameKind.REPORT:
                self._report(body)
            case FrameKind.JUDGE:
                question = decode_json(body, JudgeQuestion)
                known = {(part, subject): since for part, subject, since in question.known}
                collected, lacking = self._mirrors.collected(question.now), tuple(self._lacking)
                self._work(number, lambda: self._judged(collected, known, lacking))
            case FrameKind.MATRIX:
                drawn = self._mirrors.collected(decode_json(body, JudgeQuestion).now)
                self._work(number, lambda: encode_json(_matrix(drawn, self._before)))
            case FrameKind.TARGETS:
                asked = self._mirrors.collected(decode_json(body, JudgeQuestion).now)
                self._work(number, lambda: encode_json([_of_targets(snapshot) for snapshot in asked.snapshots]))
            case FrameKind.SNAPSHOT:
                self._snapshot(number, decode_json(body, SnapshotQuestion))

    def close(self) -> None:
        """Wait for what is being worked out."""
        self._worker.shutdown()

    def _report(self, body: bytes) -> None:
        (now,) = REPORT_TIME.unpack_from(body)
        report = decode_report(body[REPORT_TIME.size :])
        if isinstance(report, str):
            return
        receipt = self._mirrors.take(report, now)
        identity = report.head.member.identity
        if isinstance(receipt, Receipt) and (receipt.whole or receipt.roster):
            self._lacking[identity] = None
        else:
            self._lacking.pop(identity, None)

    def _work(self, number: int, work: Callable[[], bytes]) -> None:
        self._worker.submit(lambda: self._answer(number, work())).add_done_callback(_end_if_crashed)

    def _answer(self, number: int, body: bytes) -> None:
        with self._writing:
            self._write(frame(FrameKind.ANSWER, number, body))

    def _judged(self, collected: Collected, known: Known, lacking: tuple[str, ...]) -> bytes:
        began = time.monotonic()
        gathered = one_of_each(Gathered(collected.snapshots, collected.unread))
        found = basis(gathered.snapshots, gathered.unread, collected.at, self._before, over_network=True)
        verdict = verdict_on(found, clock, known)
        excused = found.who.excused
        took = time.monotonic() - began
        del gathered, found
        self._judgements += 1
        gc.collect(2 if self._judgements % _COLLECT_ALL == 0 else 0)
        usage = process_usage()
        return encode_json(JudgeAnswer(collected.at, verdict, excused, took, lacking, usage.resident, usage.cpu))

    def _snapshot(self, number: int, question: SnapshotQuestion) -> None:
        mirror = self._mirrors.mirror(question.name)
        self._answer(number, encode_json(summed(mirror.snapshot(question.now))) if mirror is not None else b"")


def _of_targets(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot with its edges to plain targets only, and no roster."""
    edges = (edge for edge in snapshot.edges if edge.latest.check.path not in BETWEEN_MEMBERS)
    return msgspec.structs.replace(snapshot, roster=_NO_ROSTER, edges=tuple(edges))


def _end_if_crashed(work: Future[None]) -> None:
    """End the process after a bug, so that the collector starts another one."""
    if error := work.exception():
        traceback.print_exception(error)
        os._exit(1)


def _matrix(collected: Collected, before: SiftedSources) -> MatrixDocument:
    gathered = one_of_each(Gathered(collected.snapshots, collected.unread))
    found = basis(gathered.snapshots, gathered.unread, collected.at, before)
    return MatrixDocument(API_SCHEMA, collected.at, matrices(found))


def main(arguments: list[str]) -> None:
    """Take frames from standard input and write answers to standard output, until the input ends. The argument is the
    `MirrorOptions` as JSON."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's interrupt goes to both: the collector ends this one
    gc.disable()  # a collection in the middle of a judgement walks over all trials for nothing
    out = sys.stdout.buffer

    def write(data: bytes) -> None:
        out.write(data)
        out.flush()

    process = JudgingProcess(decode_json(arguments[0], MirrorOptions), write)
    try:
        frames(sys.stdin.buffer.read, process.take)
        process.close()
    except BrokenPipeError:
        os._exit(0)  # the collector is gone: nothing is left to be written at the exit


if __name__ == "__main__":
    main(sys.argv[1:])
