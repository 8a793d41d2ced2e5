"""The protocol between a collector and the process that judges for it: frames of a length, a kind, a number and a body,
over pipes. Both are of one version, as one starts the other."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from struct import Struct as Packed
from typing import Annotated

import msgspec

from kubesonar.model import Count, Verdict

FRAME_HEAD = Packed("<IBI")
"""Length of the body, kind, and number: an answer has that of its question."""

REPORT_TIME = Packed("<d")
"""The field before a report: the time when it came (Unix seconds of the collector's clock)."""


class FrameKind(IntEnum):
    """REPORT: a report that was taken; it has no answer. JUDGE, MATRIX, SNAPSHOT (of one member), TARGETS (edges of all
    members to plain targets): questions, with a body in JSON. ANSWER: the answer in JSON, empty for none."""

    REPORT = 1
    JUDGE = 2
    MATRIX = 3
    SNAPSHOT = 4
    TARGETS = 5
    ANSWER = 6


class JudgeQuestion(msgspec.Struct, frozen=True):
    """Judge as of `now` (Unix seconds); `known` are part, subject and since when of what is known to be sick."""

    now: float
    known: tuple[tuple[str, str, float], ...] = ()


class SnapshotQuestion(msgspec.Struct, frozen=True):
    """The snapshot of that member as of `now` (Unix seconds)."""

    now: float
    name: str


class JudgeAnswer(msgspec.Struct, frozen=True):
    """The verdict on what agents reported up to `at` (Unix seconds), who is excused and why, how long it took (s), the
    identities of agents of which the judging process lacks something, and what memory (bytes) and CPU (s) it uses."""

    at: float
    verdict: Verdict
    excused: dict[str, str]
    took: float
    lacking: tuple[str, ...]
    resident: int
    cpu: Annotated[float, msgspec.Meta(ge=0)]


def frame(kind: FrameKind, number: Count, body: bytes) -> bytes:
    """Return a frame."""
    return FRAME_HEAD.pack(len(body), kind, number) + body


def frames(read: Callable[[int], bytes], take: Callable[[FrameKind, int, bytes], None]) -> None:
    """Pass every frame that `read` returns to `take`, until it returns nothing."""
    while len(head := read(FRAME_HEAD.size)) == FRAME_HEAD.size:
        length, kind, number = FRAME_HEAD.unpack(head)
        take(FrameKind(kind), number, read(length))
