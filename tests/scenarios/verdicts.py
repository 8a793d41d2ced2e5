"""What a lab's verdict has to do after a fault: name it in time, name nobody else, and stay so."""

from __future__ import annotations

import time

from kubesonar.model import Verdict
from tests.scenarios.running_lab import RunningLab

PROMISED = 30.0
"""Seconds in which a fault is named, on a machine that is busy with other labs; scripts/bench measures the time ..."""
PROMISED_FROZEN = 45.0
"""... and in which agents are called frozen: up to 20 s without a turn they are starved."""
STAYS = 3.0
"""Seconds for which a verdict must not change to count as settled."""
PAUSE = 0.5
"""Seconds between two looks. More looks cost as much again as a quarter of the lab's agents; no probe of theirs
comes more often than once a second."""
FLEETING = 1.0
"""Seconds in all for which somebody innocent may be named while a fault is new: trials of its first seconds are few."""

Named = frozenset[tuple[str, str]]


def named(verdict: Verdict) -> Named:
    return frozenset((finding.part, finding.subject) for finding in verdict.findings)


def settle(lab: RunningLab, expected: Named, promised: float = PROMISED) -> Verdict:
    """The first verdict that names just these and then stays so. On the way fewer may be named, or another part of the
    same subject (a node's way out before its way in), but nobody innocent for longer than `FLEETING`."""
    start = time.monotonic()
    since: float | None = None
    wrong = 0.0
    subjects = {subject for _, subject in expected}
    story: list[str] = []
    while True:
        verdict, now = lab.verdict(), time.monotonic()
        story += [
            f"{now - start:.1f} s: {verdict.sentence}",
            *(f"  {told.part}: {told.sentence}" for told in verdict.findings),
        ]
        wrong += PAUSE * any(subject not in subjects for _, subject in named(verdict))
        assert wrong <= FLEETING, "\n".join(story)
        if named(verdict) != expected:
            since = None
        elif since is None:
            since = now
        elif now - since >= STAYS:
            return verdict
        if since is None and now - start > promised:
            raise AssertionError("\n".join((f"not named within {promised:.0f} s", *story)))
        time.sleep(PAUSE)


def watch(lab: RunningLab, seconds: float) -> list[Verdict]:
    """All verdicts for a while."""
    until = time.monotonic() + seconds
    seen = []
    while time.monotonic() < until:
        seen.append(lab.verdict())
        time.sleep(PAUSE)
    return seen
