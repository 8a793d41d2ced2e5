"""Counts of the pairs between which all is well: in a big mesh nearly all, of which no cell is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kubesonar.core.diagnosis.evidence import Ages, Quiet
from kubesonar.core.diagnosis.inference.trial_model import stream
from kubesonar.core.diagnosis.joining.edge_sums import EdgeSums
from kubesonar.core.diagnosis.joining.past_loss import NO_PAST, PastLoss, PastTrials, past_trials
from kubesonar.model import Edge, Kind, Member, Network

STREAMS = frozenset({Kind.TCP, Kind.HTTP, Kind.TLS})
"""Kinds of checks that go by a TCP connection."""

_PASSED = ("node", "node_in", "node_out", "zone_pair", "zone_pair_slow")
_PASSED_POD = ("pod_network", "pod_network_in", "pod_network_out")


class QuietPairs:
    """Counts the trials between members, and the trains that cross each node and zone pair. `sent` are the datagrams of
    the short window."""

    def __init__(self, ages: Ages, past: PastLoss) -> None:
        self._ages = ages
        self._past = past
        self.sent = 0
        self._flows: dict[tuple[str, bool], list[int]] = {}
        """By word, and by whether it is the host network: trains lately and in the past."""
        self._groups: dict[tuple[bool, bool], dict[int, list[int]]] = {
            (host, far): {} for host in (False, True) for far in (False, True)
        }
        """By whether it is the host network, and goes to another zone: by packets the pairs, their trials, how many of
        these were bad in the past, and the datagrams of a train."""

    def add(self, me: Member, far: bool, edge: Edge, sums: EdgeSums) -> None:
        """Count the trials of an edge of that member, which goes to another zone if `far`."""
        past = NO_PAST
        if edge.latest.check.kind is Kind.UDP:
            past = past_trials(edge)
            pair = me.name, edge.latest.check.target
            words = self._past.words(pair)
            self._past.add(pair, words, past)
            self._pass_trains(words, me, sums.sent, sums.trials, past.trials)
        self._count(me, far, edge, sums, past, 1)

    def take(self, me: Member, far: bool, edge: Edge, sums: EdgeSums) -> None:
        """Take the trials of an edge out again."""
        past = NO_PAST
        if edge.latest.check.kind is Kind.UDP:
            past = past_trials(edge)
            words = self._past.words((me.name, edge.latest.check.target))
            self._pass_trains(words, me, -sums.sent, -sums.trials, -past.trials)
        self._count(me, far, edge, sums, past, -1)

    def passing(self, part: str, subject: str) -> tuple[float, float]:
        """See `Reserve`."""
        hosts = [host for host in (False, True) if part in _PASSED or (part in _PASSED_POD and not host)]
        words = [subject, ">".join(reversed(subject.split(">")))] if part.startswith("zone_pair") else [subject]
        flows = [self._flows.get((word, host), (0, 0)) for word in words for host in hosts]
        recent, past = sum(flow[0] for flow in flows), sum(flow[1] for flow in flows)
        return recent / self._ages.long, past / (self._ages.memory - self._ages.long)

    def groups(self, recorded: bool) -> Iterator[Quiet]:
        """Return what was counted and not taken; where responders keep records, of each way of a train."""
        for (host, far), groups in self._groups.items():
            network = Network.HOST if host else Network.POD
            for packets, (pairs, trials, bad, size) in groups.items():
                if pairs > 0 and trials > 0:
                    ways = 2 if not packets and recorded else 1
                    yield Quiet(size, network, ways == 1, far, ways * pairs, ways * trials, bad)

    def _count(self, me: Member, far: bool, edge: Edge, sums: EdgeSums, past: PastTrials, sign: int) -> None:
        check = edge.latest.check
        kind = check.kind
        if kind is Kind.UDP:
            packets = 0
        elif kind is Kind.ICMP:
            packets = 1
        elif kind not in STREAMS:
            return
        else:
            packets = stream(check.timeout)
        group = self._groups[me.network is Network.HOST, far]
        count = group.get(packets)
        if count is None:
            size = max((trial.sent for trial in edge.trials), default=1) if kind is Kind.UDP else packets
            count = group[packets] = [0, 0, 0, size]
        count[0] += sign
        count[1] += sign * (sums.trials + past.trials)
        count[2] += sign * past.faint

    def _pass_trains(self, words: Iterable[str], me: Member, sent: int, trials: int, past: int) -> None:
        self.sent += sent
        host = me.network is Network.HOST
        for word in words:
            flow = self._flows.get((word, host))
            if flow is None:
                flow = self._flows[word, host] = [0, 0]
            flow[0] += trials
            flow[1] += past
