"""Counts of the pairs between which all is well: in a big mesh nearly all, of which no cell is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kubesonar.core.diagnosis.evidence import Ages, Quiet
from kubesonar.core.diagnosis.joining.edge_sums import packets_of_connections
from kubesonar.core.diagnosis.joining.past_loss import LossyPast, past_trials, words_between
from kubesonar.model import Edge, Kind, Member, Network

STREAMS = frozenset({Kind.TCP, Kind.HTTP, Kind.TLS})
"""Kinds of checks that go by a TCP connection."""

_PASSED = ("node", "node_in", "node_out", "zone_pair", "zone_pair_slow")
_PASSED_POD = ("pod_network", "pod_network_in", "pod_network_out")


class PairCounts:
    """Counts of what one member asked others. `trains` are by what they cross: how many there were lately, how many in
    the past, and how many of these were bad; `groups` by whether they go to another zone, and by the packets of a
    trial (0: a train): the pairs, their trials, how many of these were faintly bad in the past, and the packets of the
    first; `lossy` are edges that lost something in the past."""

    __slots__ = ("groups", "lossy", "trains")

    def __init__(self) -> None:
        self.trains: dict[str, list[int]] = {}
        self.groups: dict[tuple[bool, int], list[int]] = {}
        self.lossy: list[LossyPast] = []

    def add(self, me: Member, other: Member, edges: Iterable[Edge]) -> None:
        """Count the edges of that pair."""
        far = me.zone != other.zone
        for edge in edges:
            check = edge.latest.check
            kind = check.kind
            if kind is Kind.UDP:
                self._add_trains(me, other, edge)
            elif kind is Kind.ICMP:
                self._add(far, 1, edge.long.observations)
            elif kind in STREAMS:
                self._add(far, packets_of_connections(edge), edge.long.observations)

    def _add(self, far: bool, packets: int, trials: int) -> list[int]:
        count = self.groups.get((far, packets))
        if count is None:
            count = self.groups[far, packets] = [0, 0, 0, packets]
        count[0] += 1
        count[1] += trials
        return count

    def _add_trains(self, me: Member, other: Member, edge: Edge) -> None:
        past, recent = past_trials(edge), edge.long.observations
        group = self._add(me.zone != other.zone, 0, recent + past.trials)
        group[2] += past.faint
        if not group[3]:
            group[3] = max((trial.sent for trial in edge.trials), default=1)
        words = words_between(me, other, other.name)
        for word in words:
            flow = self.trains.get(word)
            if flow is None:
                flow = self.trains[word] = [0, 0, 0]
            flow[0] += recent
            flow[1] += past.trials
            flow[2] += past.bad
        if past.bad:
            places = frozenset((me.node, other.node))
            self.lossy.append(LossyPast((me.name, other.name), places, words, past.trials, past.bad, past.burst))


class QuietPairs:
    """Counts the trials between members, and the trains that cross each node and zone pair. `sent` are the datagrams of
    the short window."""

    def __init__(self, ages: Ages) -> None:
        self._ages = ages
        self.sent = 0
        self._flows: dict[bool, dict[str, list[int]]] = {False: {}, True: {}}
        """By whether it is the host network, and by word: trains lately, in the past, and bad ones of the past."""
        self._groups: dict[tuple[bool, bool], dict[int, list[int]]] = {
            (host, far): {} for host in (False, True) for far in (False, True)
        }
        """By whether it is the host network, and goes to another zone: what `PairCounts.groups` holds by packets."""

    def add(self, me: Member, counts: PairCounts, sign: int = 1) -> None:
        """Count what that member asked others; with the sign -1, take it out again."""
        host = me.network is Network.HOST
        flows = self._flows[host]
        for word, (recent, past, bad) in counts.trains.items():
            flow = flows.get(word)
            if flow is None:
                flow = flows[word] = [0, 0, 0]
            flow[0] += sign * recent
            flow[1] += sign * past
            flow[2] += sign * bad
        for (far, packets), (pairs, trials, bad, size) in counts.groups.items():
            group = self._groups[host, far].setdefault(packets, [0, 0, 0, size])
            group[0] += sign * pairs
            group[1] += sign * trials
            group[2] += sign * bad

    def past(self) -> Iterator[tuple[str, int, int]]:
        """Yield of each word, once for each network, how many trains of the past crossed it, and how many were bad."""
        return ((word, past, bad) for flows in self._flows.values() for word, (_, past, bad) in flows.items())

    def passing(self, part: str, subject: str) -> tuple[float, float]:
        """See `Reserve`."""
        hosts = [host for host in (False, True) if part in _PASSED or (part in _PASSED_POD and not host)]
        words = [subject, ">".join(reversed(subject.split(">")))] if part.startswith("zone_pair") else [subject]
        flows = [self._flows[host].get(word, (0, 0)) for word in words for host in hosts]
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
