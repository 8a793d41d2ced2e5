"""Judges by what the standpoints say together: which DNS pods answer, which are sick, and what cannot be told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from kubesonar.core.remedy.dns_round import DnsRound, DnsServerPod, DnsStandpoint, PodReplies, PodReply

_FAILED = frozenset({PodReply.SILENT, PodReply.REFUSED, PodReply.WRONG})


class PodHealth(StrEnum):
    """The health of a pod as all standpoints together say it. `PARTIAL`: some reach it and some do not, so that it is a
    way's fault. `CUT_OFF`: those that fail do not reach its node otherwise either, so that it is too. `UNREACHED`: no
    quorum member got anything back, nor does its node confirm it, so that it may be a way's fault."""

    ANSWERING = "answering"
    SICK = "sick"
    PARTIAL = "partial"
    CUT_OFF = "cut_off"
    UNREACHED = "unreached"
    UNKNOWN = "unknown"


class Judged(msgspec.Struct, frozen=True):
    """The health of a pod, from how many nodes it fails, of how many that can say, whether more of them got a wrong
    answer than none, and whether anybody got a right one."""

    health: PodHealth
    against: int = 0
    of: int = 0
    wrong: bool = False
    heard: bool = False


class Votes(msgspec.Struct, frozen=True):
    """The pods of a round by uid. `answered`: at least one standpoint got an answer from a DNS pod. `hold` says in
    words reason nothing can be concluded, "" where it can."""

    pods: dict[str, Judged]
    answered: bool
    hold: str = ""

    def having(self, health: PodHealth) -> list[str]:
        """Return the uids of the pods of that health, in the order of the round."""
        return [uid for uid, judged in self.pods.items() if judged.health is health]


class _Voter:
    """A node that questions are asked from: what its standpoints got from each pod."""

    def __init__(self) -> None:
        self.well = False
        self.answered: set[str] = set()
        self.failed: set[str] = set()
        self.wrong: set[str] = set()
        self.reached: set[str] = set()
        self.ways: dict[str, bool] = {}

    def take(self, replies: PodReplies, standpoint: DnsStandpoint) -> None:
        self.well |= bool(standpoint.well)
        if replies.decisive is PodReply.ANSWERED:
            self.answered.add(replies.pod)
        elif replies.decisive in _FAILED:
            self.failed.add(replies.pod)
        if replies.decisive is PodReply.WRONG:
            self.wrong.add(replies.pod)
        if replies.came_back:
            self.reached.add(replies.pod)
        if replies.node_reached is not None and replies.decisive is PodReply.SILENT:  # else its way shows itself
            self.ways[replies.pod] = replies.node_reached or self.ways.get(replies.pod, False)

    def fails(self, uid: str) -> bool:
        return uid in self.failed and uid not in self.answered

    def passes(self, uid: str, beside: frozenset[str]) -> bool | None:
        """Return whether the way to the pod's node is well: something else there answers, or a DNS pod (one of those
        `beside` it) does; None where nobody knows."""
        return True if beside & self.answered else self.ways.get(uid)


def count_votes(found: DnsRound, quorum: int) -> Votes:
    """Return what the standpoints of a round say together. A pod is sick where it fails from more than half of the
    nodes that can say, and from `quorum` of them where there are as many.

    A node can say something where a standpoint of it is not known to be unwell and, if any DNS pod answers anybody,
    it gets an answer from one itself: else its own way is what failed."""
    voters: defaultdict[str, _Voter] = defaultdict(_Voter)
    standpoints = {one.name: one for one in found.standpoints}
    pods = found.pods or ()
    for replies in found.replies:
        standpoint = standpoints.get(replies.standpoint)
        if standpoint is not None and standpoint.well is not False:
            voters[standpoint.node or standpoint.name].take(replies, standpoint)
    heard = frozenset[str]().union(*(voter.answered for voter in voters.values()))
    answered = bool(heard)
    saying = {name: voter for name, voter in voters.items() if voter.answered or (not answered and voter.failed)}
    of = len({one.node or one.name for one in found.standpoints})
    if len(saying) * 2 <= of:
        return Votes(
            {pod.uid: Judged(PodHealth.UNKNOWN, heard=pod.uid in heard) for pod in pods},
            answered,
            f"only {len(saying)} of {of} nodes that ask can say anything: look at the network first",
        )
    return Votes({pod.uid: _judge(pod, pods, saying, of, quorum, answered) for pod in pods}, answered)


def _judge(
    pod: DnsServerPod,
    pods: Sequence[DnsServerPod],
    voters: Mapping[str, _Voter],
    of: int,
    quorum: int,
    answered: bool,
) -> Judged:
    against = [name for name, voter in voters.items() if voter.fails(pod.uid)]
    hears = sum(pod.uid in voter.answered for voter in voters.values())
    count = len(against) + hears
    if count * 2 <= of:
        return Judged(PodHealth.UNKNOWN, len(against), count, heard=hears > 0)
    if len(against) * 2 < count:
        return Judged(PodHealth.ANSWERING, len(against), count)
    own = voters.get(pod.node)
    enough = len(against) >= min(count, max(quorum, count // 2 + 1))
    if not enough or (own is not None and pod.uid in own.answered):
        return Judged(PodHealth.PARTIAL, len(against), count)
    wrong = sum(pod.uid in voters[name].wrong for name in against) * 2 > len(against)
    near = own is not None and own.fails(pod.uid) and (answered or own.well)
    if near or (not pod.ready and pod.node_ready is True):
        return Judged(PodHealth.SICK, len(against), count, wrong)
    beside = frozenset(one.uid for one in pods if one.node and one.node == pod.node and one.uid != pod.uid)
    ways = [way for name in against if (way := voters[name].passes(pod.uid, beside)) is not None]
    passing = sum(ways)
    # One known way that fails holds a restart too: that nothing gets to the node explains it and the pod's silence by
    # one fault, a deaf pod only besides a second one.
    if passing * 2 < len(ways):
        return Judged(PodHealth.CUT_OFF, len(against), count, wrong)
    proven = answered and passing * 2 > len(ways) and passing >= min(len(against), quorum)
    reached = sum(pod.uid in voters[name].reached for name in against) * 2 > len(against)
    return Judged(PodHealth.SICK if proven or reached else PodHealth.UNREACHED, len(against), count, wrong)
