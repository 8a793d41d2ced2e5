"""Starts the process that judges, hands it every report and asks it; starts another one when it ends."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

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
from kubesonar.runtime.proc import cpu_of_process

_LOG = logging.getLogger("kubesonar.collector")

_ROOM = 256 << 20
"""Most bytes of reports that wait for the process; no more are taken beyond. More, and one that hangs fills memory;
less, and agents that all begin to report at once have to send again."""

_AHEAD = 1 << 20
"""Bytes of reports that are written to the process before it has read them. More, and a question waits for as many to
be taken; fewer, and the process waits for the collector."""

_PATIENCE = 120.0
"""Seconds of its CPU that the process has for one answer, and seconds of the clock in which it must use any at all.
Longer, and a process that hangs is noticed late; shorter, and a large mesh is never judged."""

_STARVED = 10.0
"""Times `_PATIENCE` that an answer may take by the clock where the process gets little CPU. More, and one of whose
threads only some hang is noticed late; fewer, and one that is starved is ended, and begins anew with more to do."""

_PAUSE = 1.0
"""Seconds before another process is started. Longer, and nothing is judged for as long; shorter, and one that ends at
once takes a whole CPU."""

_LEAVING = 2.0
"""Seconds that the process has to end."""


class JudgingGone(EvidenceAway):
    """The process that judges has ended, or does not answer; another one is started."""


class JudgingClient:
    """The process. `run` keeps one running; `feed` it every report. `since` is when it was started (monotonic seconds),
    None while there is none. `anew` is called when a new one knows nothing yet. At most `room` bytes of reports wait
    for it. One that is taken to hang (see `hangs`, with `patience` in seconds) is ended, and another one started."""

    def __init__(
        self,
        options: MirrorOptions,
        clock: Clock,
        anew: Callable[[], None],
        *,
        room: int = _ROOM,
        patience: float = _PATIENCE,
    ) -> None:
        self.since: float | None = None
        self._options = options
        self._clock = clock
        self._anew = anew
        self._room = room
        self._patience = patience
        self._reports: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._fed = asyncio.Event()
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
        assert process.stdin is not None and process.stdout is not None
        process.stdin.transport.set_write_buffer_limits(high=_AHEAD)
        self._input, self.since = process.stdin, self._clock.mono()
        self._anew()
        handing_on = asyncio.create_task(self._hand_on(process.stdin))
        try:
            await self._read(process.stdout)
        finally:
            self.since = self._input = None
            handing_on.cancel()
            await asyncio.wait([handing_on])
            self._forget()
            await _ended(process)
        return process.returncode

    @property
    def full(self) -> bool:
        """Whether so many reports wait for the process that no more should be taken."""
        return self._size >= self._room

    def feed(self, now: float, body: bytes) -> None:
        """Hand a report on that came at `now` (Unix seconds); it may wait until the process has read those before."""
        if self._input is not None:
            self._reports.append((now, body))
            self._size += len(body)
            self._fed.set()

    async def judge(self, known: Known) -> JudgeAnswer:
        """Return the judgement on what was fed so far, as of the time when the oldest report came that still waits for
        the process: what it has not been told yet is nobody's silence. Raises JudgingGone."""
        listed = tuple((part, subject, since) for (part, subject), since in known.items())
        question, waiting = encode_json(JudgeQuestion(self._now(), listed)), bool(self._reports)
        answer = decode_json(await self._ask(FrameKind.JUDGE, question), JudgeAnswer)
        return replace(answer, lacking=()) if waiting else answer  # what it lacks may be among what waits

    async def matrix(self) -> MatrixDocument:
        """Return who reaches whom. Raises JudgingGone."""
        body = await self._ask(FrameKind.MATRIX, encode_json(JudgeQuestion(self._now())))
        return decode_json(body, MatrixDocument)

    async def snapshots(self) -> tuple[Snapshot, ...]:
        """Return the snapshots of all members that report, with their edges to plain targets only, and no roster.
        Raises JudgingGone."""
        body = await self._ask(FrameKind.TARGETS, encode_json(JudgeQuestion(self._now())))
        return decode_json(body, tuple[Snapshot, ...])

    async def snapshot(self, name: str) -> Snapshot | None:
        """Return the snapshot of a member as it would give it now, None where it never reported. Raises JudgingGone."""
        body = await self._ask(FrameKind.SNAPSHOT, encode_json(SnapshotQuestion(self._now(), name)))
        return decode_json(body, Snapshot) if body else None

    def _now(self) -> float:
        return self._reports[0][0] if self._reports else self._clock.wall()

    async def _hand_on(self, writer: asyncio.StreamWriter) -> None:
        """Write reports to the process as it reads them, until it ends."""
        with suppress(OSError):
            while True:
                await self._fed.wait()
                self._fed.clear()
                while self._reports and not writer.transport.is_closing():  # uvloop raises where it is closed
                    now, body = self._reports.popleft()
                    self._size -= len(body)
                    writer.write(frame(FrameKind.REPORT, 0, REPORT_TIME.pack(now) + body))
                    await writer.drain()

    async def _ask(self, kind: FrameKind, body: bytes) -> bytes:
        if self._input is None or self._input.transport.is_closing():
            raise JudgingGone("the process that judges is being started")
        self._number = (self._number + 1) % (1 << 32)
        number = self._number
        answer: asyncio.Future[bytes]
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._input.write(frame(kind, number, body))
        try:
            return await self._answered(answer)
        finally:
            self._waiting.pop(number, None)

    async def _answered(self, answer: asyncio.Future[bytes]) -> bytes:
        """Return the answer; end the process where it is taken to hang."""
        process, began = self._process, self._clock.mono()
        assert process is not None
        first = before = cpu_of_process(process.pid)
        while not (await asyncio.wait([answer], timeout=self._patience))[0]:
            used, waited = cpu_of_process(process.pid), self._clock.mono() - began
            if hangs(waited, used - first, used - before, self._patience):
                _LOG.error("the process that judges hangs: it is ended", extra={"waited": waited, "cpu": used - first})
                self._kill()
                raise JudgingGone(f"the process that judges has not answered for {waited:.0f} s")
            before = used
        return answer.result()

    async def _read(self, output: asyncio.StreamReader) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                length, _, number = FRAME_HEAD.unpack(await output.readexactly(FRAME_HEAD.size))
                body = await output.readexactly(length)
                answer = self._waiting.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(body)

    def _forget(self) -> None:
        self._reports.clear()
        self._size = 0
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(JudgingGone("the process that judges has ended"))

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()


def hangs(waited: float, used: float, lately: float, patience: float) -> bool:
    """Return whether a process that owes an answer for `waited` seconds hangs: it has used `lately` no CPU at all, in
    `patience` seconds, or so much in all (`used`) that no answer takes as long. One that gets little CPU on a busy
    machine does not: another one would get no more, and have everything to be told again."""
    return lately <= 0.0 or used >= patience or waited >= _STARVED * patience


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
