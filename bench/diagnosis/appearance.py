"""What probes show of faults that let nothing through. Where two sets of faults show the same, no judge can tell them
apart, and either is right: an ingress that is silent behind a name that cannot be looked up is hidden, and of a pair of
which no agent runs at one end nobody knows which of both ways is cut.

It is worked out from the components that packets cross, and knows nothing of what a judge makes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from bench.diagnosis.cluster import DNS_SERVICE, SEARCH, UPSTREAM, Place
from bench.diagnosis.faults import is_big, to_port
from bench.diagnosis.network import Component, Flow, crossed
from bench.diagnosis.prober import FULL, SMALL
from bench.diagnosis.simulation import OBSERVER, Simulation
from bench.diagnosis.truth import Named, Truth, needed_of, right
from kubesonar.model import Check, Kind, Path, Side

Shown = Mapping[tuple[str, ...], float]
"""How probable it is that a trial goes well, by who sees it and of which check."""

_ALIKE = 0.1
"""Difference of probabilities below which a judge has too few trials within half a minute to tell them apart."""

_CUTS: dict[str, Callable[[str, str], list[Component]]] = {
    "node": lambda a, _: [("node_in", a), ("node_out", a)],
    "node_in": lambda a, _: [("node_in", a)],
    "node_out": lambda a, _: [("node_out", a)],
    "node_mtu": lambda a, _: [("node_in", a)],
    "pod_network": lambda a, _: [("pod_in", a), ("pod_out", a)],
    "pod_network_in": lambda a, _: [("pod_in", a)],
    "pod_network_out": lambda a, _: [("pod_out", a)],
    "dns_node": lambda a, _: [("pod_out", a), ("node_out", a)],
    "service_proxy": lambda a, _: [("proxy", a)],
    "zone_pair": lambda a, b: [("zone", a, b)],
    "pair": lambda a, b: [("pair", a, b)],
    "pair_udp": lambda a, b: [("pair", a, b)],
    "pair_port": lambda a, b: [("pair", a, b)],
    "pair_mtu": lambda a, b: [("pair", a, b)],
}
"""The components that let nothing through, of a part of which the subject is one place or two."""

_HITS: dict[str, Callable[[Flow], bool]] = {
    "node_mtu": is_big,
    "pair_mtu": is_big,
    "pair_udp": lambda flow: flow.proto == "udp",
    "pair_port": to_port,
    "dns_node": lambda flow: flow.port == 53 and not flow.reply,
}
"""Which packets are lost there, of those parts that let others through."""

_DEAF = {
    "dns_server": ("udp", "tcp"),
    "dns_service": ("udp", "tcp"),
    "dns_udp": ("udp",),
    "dns_tcp": ("tcp",),
    "dns_upstream": ("udp", "tcp"),
    "api_server": ("tcp",),
    "ingress": ("tcp",),
    "external": ("tcp",),
}
"""What a server does not answer."""

_TO_TARGETS = ("pair", "pair_port", "zone_target")
"""Parts that may be the way from a node, or a zone, to one plain target."""

_STOPPED = {"agent_gone": 2.0, "agent_frozen": 3.0}
"""Agents that do not run, each with how this looks to who would read them."""

_BY_SERVICE = (Path.API_DIRECT, Path.API_DNS)
"""Plain targets that are asked at a Service's address."""


class Appearance:
    """What the probes of that cluster show, as it is now: Services lead where they lead now."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._checks = [
            (agent.name, observation.check)
            for agent in sim.agents.values()
            for observation in agent.ledger.latest()
            if observation.side is Side.SOURCE and observation.check.path is not Path.LOOPBACK
        ]
        self._shown: dict[tuple[frozenset[Named], tuple[str, ...]], Shown | None] = {}

    def alike(self, told: Iterable[Named], truths: Sequence[Truth]) -> bool:
        """Whether what is told, were it all that is broken, would show what a right answer would, and is no more than
        that; or whether it is right of some faults, which show what all of them do: the others are hidden."""
        named, true = frozenset(told), _of(truths)
        if any(len(named) <= len(needed) and self._same(named, needed) for needed in needed_of(truths)):
            return True
        some = (kept for count in range(1, len(truths)) for kept in combinations(truths, count))
        return any(right(named, kept) for kept in some if self._same(_of(kept), true))

    def stand_ins(self, told: Iterable[Named], truths: Sequence[Truth]) -> frozenset[Named]:
        """What is told that would show, instead of one of the faults, what that one shows beside the others."""
        true = _of(truths)
        needed = [one for one in true if not self._same(true - {one}, true)]
        return frozenset(
            name for name in told if any(self._same(true - {instead} | {name}, true) for instead in needed)
        )

    def _same(self, told: frozenset[Named], true: frozenset[Named]) -> bool:
        shown, wanted = self._show(told), self._show(true)
        if shown is None or wanted is None or shown.keys() != wanted.keys():
            return False
        return all(abs(chance - wanted[key]) < _ALIKE for key, chance in shown.items())

    def _show(self, named: frozenset[Named]) -> Shown | None:
        """What is shown; None where it is not known what one of these parts does."""
        servers = self._sim.servers
        key = named, (*servers.endpoints, "", *servers.agents)
        if key not in self._shown:
            known = all(part in (*_CUTS, *_DEAF, *_STOPPED, *_TO_TARGETS) for part, _ in named)
            self._shown[key] = dict(_Broken(self._sim, named).show(self._checks)) if known else None
        return self._shown[key]


def _of(truths: Sequence[Truth]) -> frozenset[Named]:
    return frozenset[Named]().union(*(truth.answers[0] for truth in truths))


class _Broken:
    """A cluster in which these parts let nothing through."""

    def __init__(self, sim: Simulation, named: Iterable[Named]) -> None:
        self._sim = sim
        self._cuts: dict[Component, list[Callable[[Flow], bool]]] = {}
        self._deaf: dict[str, set[str]] = {}
        self._missed: set[tuple[str, str]] = set()
        self._stopped: dict[str, float] = {}
        for part, subject in named:
            start, _, end = subject.partition(" ")[0].partition(">")
            if part in _TO_TARGETS and end not in sim.cluster.nodes:
                self._missed.add((start, end))
                continue
            for component in _CUTS[part](start, end) if part in _CUTS else ():
                self._cuts.setdefault(component, []).append(_HITS.get(part, lambda flow: True))
            for name in sim.cluster.dns if subject == DNS_SERVICE else (subject,):
                self._deaf.setdefault(name, set()).update(_DEAF.get(part, ()))
            if part in _STOPPED:
                members = [member.name for member in sim.members.values() if subject in (member.name, member.node)]
                self._stopped |= dict.fromkeys(members, _STOPPED[part])

    def show(self, checks: Iterable[tuple[str, Check]]) -> Iterator[tuple[tuple[str, ...], float]]:
        """What is seen, by whom, and how probably it is well."""
        for name in self._sim.agents:
            yield (name,), self._read(name)
        for name, check in checks:
            if name in self._stopped:
                continue
            source = self._sim.cluster.places[name]
            if self._read(name) == 1.0:
                yield (name, check.id), self._answered(source, check)
            target = self._sim.agents.get(check.target)
            if check.kind is Kind.UDP and target is not None and self._read(check.target) == 1.0:
                for size in (SMALL, FULL):
                    flow = Flow("udp", check.port, size)
                    yield (name, check.id, str(size), check.target), self._passes(source, target.place, flow)

    def _read(self, name: str) -> float:
        """How an agent looks to who reads all: 1 where it can be read."""
        there = self._sim.cluster.places[name]
        return self._exchange(OBSERVER, there, Flow("tcp", 7473)) and self._stopped.get(name, 1.0)

    def _passes(self, start: Place, end: Place, flow: Flow) -> float:
        cut = any(hits(flow) for component in crossed(start, end, flow) for hits in self._cuts.get(component, ()))
        return float(not cut)

    def _exchange(self, start: Place, end: Place, flow: Flow) -> float:
        return self._passes(start, end, flow) * self._passes(end, start, flow._replace(service=False, reply=True))

    def _answered(self, source: Place, check: Check) -> float:
        match check.kind:
            case Kind.DNS:
                return self._dns(source, check)
            case Kind.HTTP:
                return self._http(source, check)
            case _:
                return self._member(source, check)

    def _member(self, source: Place, check: Check) -> float:
        """What another member answers: a gone one's kernel refuses, and a frozen one's completes handshakes."""
        proto = {Kind.ICMP: "icmp", Kind.TCP: "tcp"}.get(check.kind, "udp")
        size = FULL if check.kind is Kind.MTU else SMALL
        there = self._sim.cluster.places[check.target]
        flow = Flow(proto, check.port, size)
        back = self._passes(there, source, flow._replace(size=SMALL, reply=True))
        state = self._stopped.get(check.target, 1.0)
        if check.kind is Kind.ICMP or (check.kind is Kind.TCP and state == _STOPPED["agent_frozen"]):
            state = 1.0
        return self._passes(source, there, flow) * back * state

    def _dns(self, source: Place, check: Check) -> float:
        proto = "tcp" if check.request.endswith(" tcp") else "udp"
        if check.path in (Path.DNS_SERVICE, Path.DNS_UPSTREAM):
            return self._by_service(source, proto) * (check.path is not Path.DNS_UPSTREAM or self._upstream)
        return self._server(source, check.target, Flow(proto, 53))

    @property
    def _upstream(self) -> bool:
        return not self._deaf.get(UPSTREAM)

    def _server(self, source: Place, name: str, flow: Flow) -> float:
        heard = flow.proto not in self._deaf.get(name, ())
        heard = heard and self._missed.isdisjoint(((source.node, name), (source.zone, name)))
        return self._exchange(source, self._sim.cluster.places[name], flow) * heard

    def _by_service(self, source: Place, proto: str) -> float:
        servers = self._sim.servers.endpoints
        flow = Flow(proto, 53, service=True)
        return sum(self._server(source, name, flow) for name in servers) / max(1, len(servers))

    def _http(self, source: Place, check: Check) -> float:
        host = check.address or check.request.partition("://")[2].partition("/")[0].partition(":")[0].strip("[]")
        named = not (host.replace(".", "").isdigit() or ":" in host)
        names = 1 if host.endswith(".") else SEARCH
        found = self._by_service(source, "udp") ** names if named else 1.0
        if named and not host.endswith(".cluster.local."):
            found *= self._upstream
        port = check.port or (443 if check.request.startswith("https") else 80)
        if check.path in (Path.POD, Path.HOST):
            there = self._sim.cluster.places[check.target]
            return self._exchange(source, there, Flow("tcp", port)) * self._stopped.get(check.target, 1.0)
        if check.path is Path.SERVICE:
            places = [self._sim.cluster.places[name] for name in self._sim.servers.agents]
            flow = Flow("tcp", port, service=True)
            runs = [self._exchange(source, place, flow) * (place.name not in self._stopped) for place in places]
            return found * sum(runs) / max(1, len(runs))
        flow = Flow("tcp", port, service=check.path in _BY_SERVICE)
        return found * self._server(source, check.target, flow)
