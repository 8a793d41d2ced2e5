"""Who judges: the diagnosis under test, behind one small protocol, and its peers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from bench.diagnosis.peers import Threshold, Votes
from bench.diagnosis.truth import Told
from kubesonar.core.diagnosis.verdict import judge
from kubesonar.model import Snapshot


class Judge(Protocol):
    """Asked again and again, as `kubesonar check --watch` would ask; may remember."""

    def step(self, now: float, snapshots: Sequence[Snapshot], unread: Mapping[str, str]) -> list[Told]:
        """What is told at `now` (Unix seconds). `unread` says of the members that could not be read why not."""
        ...


class KubesonarJudge:
    """The diagnosis under test."""

    def step(self, now: float, snapshots: Sequence[Snapshot], unread: Mapping[str, str]) -> list[Told]:
        """See `Judge`."""
        verdict = judge(snapshots, unread, now, lambda at: f"{at - now:+.0f} s")
        return [
            Told(finding.part, finding.subject, finding.fault, "", finding.sentence) for finding in verdict.findings
        ]


JUDGES: dict[str, Callable[[], Judge]] = {"kubesonar": KubesonarJudge, "threshold": Threshold, "votes": Votes}
"""Those that can be chosen."""
