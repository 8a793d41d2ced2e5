"""Starts the process that judges, hands it every report and asks it; starts another one when it ends."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from contextlib import suppress

from kubesonar.api.collector_view import EvidenceAway
from kubesonar.api.documents import MatrixDocument
from kubesonar.apps.collector.frames import (
    FRAME_HEAD,
    REPORT_TIME,
    FrameKind,
    JudgeAnswer,
    JudgeQuestion,
    SnapshotQuestion,
    frame,
)
from kubesonar.core.decoding import decode_json
from kubesonar.core.diagnosis.verdict import Known
from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.reports.mirrors import MirrorOptions
from kubesonar.model import Snapshot
from kubesonar.net.clock import Clock

_LOG = logging.getLogger("kubesonar.collector")

_BEHIND = 256 << 20
"""Most bytes of reports that wait for the process; it is started anew beyond. More, and one that hangs fills memory;
less, and one that waits for a CPU loses what it knows."""

_PATIENCE = 120.0
"""Seconds for one answer. Longer, and a process that hangs is noticed late; shorter, and a large mesh on a slow machine
is never judged."""

_PAUSE = 1.0
"""Seconds before another process is started. Longer, and nothing is judged for as long; shorter, and one that ends at
once takes a whole CPU."""

_LEAVING = 2.0
"""Seconds that the process has to end."""


class JudgingGone(EvidenceAway):
    """The process that judges has ended, or does not answer; another one is started."""


class JudgingClient:
    """The process. `run` keeps one running; `feed` it every report. `since` is when it was started (monotonic seconds),
    None while there is none. `anew` is called when a new one knows nothing yet."""

    def __init__(self, options: MirrorOptions, clock: Clock, anew: Callable[[], None]) -> None:
        self.since: float | None = None
        self._options = options
        self._clock = clock
        self._anew = anew
        self._process: asyncio.subprocess.Process | None = None
        self._input: asyncio.StreamWriter | None = None
        self._number = 0
        self._waiting: dict[int, asyncio.Future[bytes]] = {}

    async def run(self) -> None:
        """Keep a process running, until cancelled."""
        while True:
            status = await self._run_one()
            _LOG.error("the process that judges has ended: another one is started", extra={"status": status})
            await asyncio.sleep(_PAUSE)

    async def _run_one(self) -> int | None:
        """Run one process until it ends, and return its exit status."""
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "kubesonar.apps.collector.judging",
            encode_json(self._options).decode(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._input, self.since = process.stdin, self._clock.mono()
        self._anew()
        try:
            assert process.stdout is not None
            await self._read(process.stdout)
        finally:
            self.since = self._input = None
            self._forget()
            await _ended(process)
        return process.returncode

    def feed(self, now: float, body: bytes) -> None:
        """Hand a report on that came at `now` (Unix seconds)."""
        if self._input is None or self._input.transport.is_closing():  # uvloop raises where it is closed
            return
        if self._input.transport.get_write_buffer_size() > _BEHIND:
            _LOG.warning("the process that judges takes no reports: it is started anew")
            self._kill()
            return
        self._input.write(frame(FrameKind.REPORT, 0, REPORT_TIME.pack(now) + body))

    async def judge(self, known: Known) -> JudgeAnswer:
        """Return the judgement on all that was fed so far. Raises JudgingGone."""
        listed = tuple((part, subject, since) for (part, subject), since in known.items())
        question = encode_json(JudgeQuestion(self._clock.wall(), listed))
        return decode_json(await self._ask(FrameKind.JUDGE, question), JudgeAnswer)

    async def matrix(self) -> MatrixDocument:
        """Return who reaches whom. Raises JudgingGone."""
        body = await self._ask(FrameKind.MATRIX, encode_json(JudgeQuestion(self._clock.wall())))
        return decode_json(body, MatrixDocument)

    async def snapshots(self) -> tuple[Snapshot, ...]:
        """Return the snapshots of all members that report, with their edges to plain targets only, and no roster.
        Raises JudgingGone."""
        body = await self._ask(FrameKind.TARGETS, encode_json(JudgeQuestion(self._clock.wall())))
        return decode_json(body, tuple[Snapshot, ...])

    async def snapshot(self, name: str) -> Snapshot | None:
        """Return the snapshot of a member as it would give it now, None where it never reported. Raises JudgingGone."""
        body = await self._ask(FrameKind.SNAPSHOT, encode_json(SnapshotQuestion(self._clock.wall(), name)))
        return decode_json(body, Snapshot) if body else None

    async def _ask(self, kind: FrameKind, body: bytes) -> bytes:
        if self._input is None or self._input.transport.is_closing():
            raise JudgingGone("the process that judges is being started")
        self._number = (self._number + 1) % (1 << 32)
        number = self._number
        answer: asyncio.Future[bytes]
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._input.write(frame(kind, number, body))
        try:
            async with asyncio.timeout(_PATIENCE):
                return await answer
        except TimeoutError:
            self._kill()
            raise JudgingGone(f"the process that judges has not answered for {_PATIENCE:.0f} s") from None
        finally:
            self._waiting.pop(number, None)

    async def _read(self, output: asyncio.StreamReader) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                length, _, number = FRAME_HEAD.unpack(await output.readexactly(FRAME_HEAD.size))
                body = await output.readexactly(length)
                answer = self._waiting.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(body)

    def _forget(self) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(JudgingGone("the process that judges has ended"))

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Let the process end by the end of its input, or end it."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(_LEAVING):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
