"""Tells what Kubernetes says of nodes beside what was found.

A node that Kubernetes calls NotReady is expected to answer: its kubelet's silence is a symptom, so it is told beside a
finding, or as a remark on the kubelet where the agents of the node answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from kubesonar.core.diagnosis.evidence import Evidence
from kubesonar.core.diagnosis.population import Population
from kubesonar.core.diagnosis.sentences import WallClock
from kubesonar.model import Finding, Member, State

_FEW = 3
"""NotReady nodes up to which each is told alone; more would hide the other remarks."""

_ANSWERED = 0.95
"""Share of the trials towards a node's agents that must have gone well for them to "answer everybody"."""


def not_ready_nodes(who: Population) -> dict[str, Member]:
    """Return the nodes that Kubernetes calls NotReady, each with a member on it."""
    found = (who.members[name] for name in sorted(who.expected))
    return {member.node: member for member in found if member.state is State.NOT_READY}


def called_not_ready(member: Member, clock: WallClock) -> str:
    """Return the end of a sentence: since when Kubernetes calls that member's node NotReady, and its reason."""
    since = f" since {clock(member.since)}" if member.since else ""
    return f"NotReady{since}" + (f" ({member.reason})" if member.reason else "")


def beside(subject: str, who: Population, clock: WallClock) -> str:
    """Return what to add to a finding about that node or member: what Kubernetes says of the node, or nothing."""
    member = who.members.get(subject)
    node = not_ready_nodes(who).get(member.node if member else subject)
    return f"; Kubernetes calls it {called_not_ready(node, clock)}" if node else ""


def not_ready_remarks(who: Population, evidence: Evidence, findings: Sequence[Finding], clock: WallClock) -> list[str]:
    """Return a sentence for each NotReady node that no finding is about; one for all whose agents answer, where these
    are many."""
    told = {finding.subject for finding in findings}
    lines: dict[str, str] = {}
    well: dict[str, str] = {}
    for node, member in not_ready_nodes(who).items():
        names = {name for name in who.expected if who.members[name].node == node}
        if not told & {node, *names}:
            answers = names <= evidence.heard and _answers(node, evidence)
            (well if answers else lines)[node] = f"Kubernetes calls {node} {called_not_ready(member, clock)}"
    if len(well) > _FEW:
        first, more = min(well), len(well) - 1
        lines[first] = f"Kubernetes calls {first} and {more} more nodes NotReady, but their agents answer everybody"
    else:
        lines |= {node: f"{line}, but its agents answer everybody: look at its kubelet" for node, line in well.items()}
    return [line for _, line in sorted(lines.items())]


def have_left(who: Population) -> frozenset[str]:
    """Return the members that are deleted, and the nodes of which no other member is known."""
    deleted = {name for name, member in who.members.items() if member.state is State.DELETED and name in who.excused}
    staying = {member.node for name, member in who.members.items() if name not in deleted}
    return frozenset(deleted | {who.members[name].node for name in deleted} - staying)


def without_agents(who: Population) -> str:
    """Return the end of a sentence: the nodes that can run no agent and so are not measured; empty where there are
    none."""
    nodes = {member.node for member in who.members.values() if member.state is State.UNSUPPORTED}
    nodes -= {who.members[name].node for name in who.expected}
    if not nodes:
        return ""
    first, more = min(nodes), len(nodes) - 1
    return f"; {first} can run no agent" if not more else f"; {first} and {more} more nodes can run no agent"


def _answers(node: str, evidence: Evidence) -> bool:
    """Return whether nearly all that others asked that node's agents lately was answered."""
    recent = evidence.ages.recent
    asked = [cell for cell in evidence.near(node) if cell.route.target.node == node and cell.route.source.node != node]
    total = sum(sum(cell.total[:recent]) for cell in asked)
    bad = sum(sum(cell.bad[:recent]) for cell in asked)
    return bad <= (1 - _ANSWERED) * total
