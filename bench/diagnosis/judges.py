"""Who judges: the diagnosis under test, behind one small protocol, and its peers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from bench.diagnosis.peers import Threshold, Votes
from bench.diagnosis.truth import Told
from kubesonar.core.diagnosis.incidents.casebook import Casebook
from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.verdict import verdict_on
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
        found = basis(snapshots, unread, now, over_network=True)
        verdict = verdict_on(found, lambda at: f"{at - now:+.0f} s")
        return [
            Told(finding.part, finding.subject, finding.fault, "", finding.sentence) for finding in verdict.findings
        ]


class KubesonarWatch:
    """The diagnosis under test with its memory, as `kubesonar check --watch` uses it."""

    def __init__(self) -> None:
        self._casebook = Casebook()

    def step(self, now: float, snapshots: Sequence[Snapshot], unread: Mapping[str, str]) -> list[Told]:
        """See `Judge`."""
        found = basis(snapshots, unread, now, over_network=True)
        verdict = verdict_on(found, lambda at: f"{at - now:+.0f} s", self._casebook.known)
        self._casebook.step(now, verdict)
        open_ = [incident.finding for incident in self._casebook.open]
        return [Told(each.part, each.subject, each.fault, each.severity, each.sentence) for each in open_]


JUDGES: dict[str, Callable[[], Judge]] = {
    "kubesonar": KubesonarJudge,
    "watch": KubesonarWatch,
    "threshold": Threshold,
    "votes": Votes,
}
"""Those that can be chosen."""
