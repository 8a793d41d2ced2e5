"""The faults: what each does to the virtual cluster, and what must be said of it.

Equivalences, where two answers are the same: see `Truth`. With one network only, a node and its pod network are crossed
by the same probes. Between two zones of which one is a single node, the way between the zones is the way into or out
of that node as far as members' probes go, and between two zones of one node each it is the pair. Of a node or a pod
network that lets nothing out the agents cannot be read either, so nobody knows whether anything gets in. Pairs are
chosen among those that a probe crosses in that direction. What several faults at once have to do with each other is in
`appearance`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from random import Random

import msgspec

from bench.diagnosis.cluster import API, DNS_SERVICE, INGRESS, OUTSIDE, OWN_SERVICE, PORT, UPSTREAM
from bench.diagnosis.loss import Bursts, Flapping, Growing, Loss, Steady
from bench.diagnosis.network import BIG, Component, Effect, Flow
from bench.diagnosis.servers import REFUSED, SERVFAIL
from bench.diagnosis.simulation import Simulation
from bench.diagnosis.truth import Named, Truth, answer
from kubesonar.model import Kind, Network, Side

_BURST = {"bursty": 1.0, "correlated": 0.05}
"""Mean seconds that bursts of loss last: longer than the gap between two probes, or just a whole train."""


class Injection(msgspec.Struct, frozen=True):
    """One fault: what to do when it begins and when it is healed, and the truth meanwhile."""

    begin: Callable[[], None]
    heal: Callable[[], None]
    truth: Truth


class Making:
    """What a fault is made from. `share` is the loss, `until` when it will be healed (virtual time)."""

    def __init__(self, sim: Simulation, rng: Random, share: float, manner: str, until: float, taken: set[str]) -> None:
        self.sim = sim
        self.rng = rng
        self.share = share
        self.until = until
        self._manner = manner
        self._taken = taken

    def loss(self) -> Loss:
        """The loss of one component."""
        if self._manner in _BURST and self.share < 1:
            return Bursts.of_mean(self.share, _BURST[self._manner], self.rng)
        if self._manner == "flapping":
            return Flapping(0.0, 20.0, 10.0, self.share)
        if self._manner == "growing":
            return Growing(self.share)
        return Steady(self.share)

    def node(self) -> str:
        """A node that no other fault of the run has, where there is one."""
        return self._pick(self.sim.cluster.nodes)

    def zones(self) -> tuple[str, str]:
        """Two zones."""
        one, other = self.rng.sample(self.sim.cluster.zones, 2)
        return one, other

    def pair(self, *kinds: Kind, family: int = 0, round_trip: bool = True) -> tuple[str, str]:
        """Two nodes: a probe of these kinds goes from the first to the second, or, where round trips count, back."""
        found = sorted(crossed_pairs(self.sim, kinds, family, round_trip))
        one, other = self.rng.choice([pair for pair in found if not self._taken & {*pair}] or found)
        self._taken |= {one, other}
        return one, other

    def dns(self) -> str:
        """A DNS pod that no other fault of the run has, where there is one."""
        return self._pick([*self.sim.cluster.dns])

    def _pick(self, among: Sequence[str]) -> str:
        chosen = self.rng.choice([one for one in among if one not in self._taken] or among)
        self._taken.add(chosen)
        return chosen

    def lossy(self, truth: Truth, *components: Component, hits: Callable[[Flow], bool] | None = None) -> Injection:
        """Loss in these components, of the packets that `hits` picks."""
        picks = hits or (lambda flow: True)
        effects = [Effect(component, self.loss(), 0.0, picks) for component in components]
        network = self.sim.network
        return Injection(lambda: network.apply(effects), lambda: network.lift(effects), truth)

    def losing(self, node: str, injection: Injection) -> Injection:
        """The same, and the cluster hears nothing of the node meanwhile."""
        sim = self.sim

        def begin() -> None:
            injection.begin()
            sim.lose_node(node)

        def heal() -> None:
            injection.heal()
            sim.regain_node(node)

        return Injection(begin, heal, injection.truth)

    def slow(self, truth: Truth, delay: float, *components: Component) -> Injection:
        """Delay in these components."""
        effects = [Effect(component, None, delay) for component in components]
        network = self.sim.network
        return Injection(lambda: network.apply(effects), lambda: network.lift(effects), truth)

    def server(self, truth: Truth, names: list[str], **changes: float | bool) -> Injection:
        """Servers that behave so."""
        servers = [self.sim.servers[name] for name in names]

        def begin() -> None:
            for server in servers:
                for field, value in changes.items():
                    setattr(server, field, value)

        def heal() -> None:
            for server in servers:
                server.mend()

        return Injection(begin, heal, truth)


def crossed_pairs(sim: Simulation, kinds: tuple[Kind, ...], family: int, round_trip: bool) -> set[tuple[str, str]]:
    """Pairs of nodes from which to which a probe goes, of these kinds (all where none is named) and that family (0:
    any); with those from which an answer comes back where round trips count."""
    found: set[tuple[str, str]] = set()
    for agent in sim.agents.values():
        for observation in agent.ledger.latest():
            check = observation.check
            target = sim.members.get(check.target)
            if target is None or observation.side is not Side.SOURCE or target.node == agent.place.node:
                continue
            if (kinds and check.kind not in kinds) or (family and (":" in check.address) != (family == 6)):
                continue
            found.add((agent.place.node, target.node))
            if round_trip:
                found.add((target.node, agent.place.node))
    return found


def _one(*named: Named) -> Truth:
    return Truth((answer(*named),))


def _either(*named: Named) -> Truth:
    return Truth(tuple(answer(each) for each in named))


def _node(kind: str) -> Callable[[Making], Injection]:
    """A node's link: in, out or both."""

    def make(making: Making) -> Injection:
        node = making.node()
        components: list[Component] = []
        if kind != "node_out":
            components.append(("node_in", node))
        if kind != "node_in":
            components.append(("node_out", node))
        alike: list[Named] = [(kind, node)]
        if kind == "node_out" and making.share >= 1:
            alike.append(("node", node))
        if making.sim.cluster.shape.networks == (Network.POD,):
            alike += [(part.replace("node", "pod_network"), node) for part, _ in alike]
        injection = making.lossy(_either(*alike), *components)
        return making.losing(node, injection) if making.share >= 1 else injection

    return make


def _pod_network(kind: str) -> Callable[[Making], Injection]:
    def make(making: Making) -> Injection:
        node = making.node()
        components: list[Component] = []
        if kind != "pod_network_out":
            components.append(("pod_in", node))
        if kind != "pod_network_in":
            components.append(("pod_out", node))
        alike: list[Named] = [(kind, node)]
        if kind == "pod_network_out" and making.share >= 1:
            alike.append(("pod_network", node))
        if making.sim.cluster.shape.networks == (Network.POD,):
            alike += [(part.replace("pod_network", "node"), node) for part, _ in alike]
        return making.lossy(_either(*alike), *components)

    return make


def _zone_pair(both: bool) -> Callable[[Making], Injection]:
    def make(making: Making) -> Injection:
        one, other = making.zones()
        ways = [(one, other), (other, one)] if both else [(one, other)]
        named: list[Named] = [("zone_pair", f"{a}>{b}") for a, b in ways]
        alike = [answer(*named)]
        cluster = making.sim.cluster
        homes = {zone: [node for node in cluster.nodes if cluster.zone_of[node] == zone] for zone in (one, other)}
        if len(homes[one]) == len(homes[other]) == 1:
            alike.append(answer(*(("pair", f"{homes[a][0]}>{homes[b][0]}") for a, b in ways)))
        if len(cluster.zones) == 2 and len(homes[other]) == 1:
            alike.append(answer(("node" if both else "node_in", homes[other][0])))
        if len(cluster.zones) == 2 and len(homes[one]) == 1:
            alike.append(answer(("node" if both else "node_out", homes[one][0])))
        return making.lossy(Truth(tuple(alike)), *(("zone", a, b) for a, b in ways))

    return make


def _alone_in_zones(sim: Simulation, *nodes: str) -> bool:
    """Whether each of these is the only node of its zone."""
    zones = list(sim.cluster.zone_of.values())
    return all(zones.count(sim.cluster.zone_of[node]) == 1 for node in nodes)


def _pair(part: str, both: bool, hits: Callable[[Flow], bool] | None, *kinds: Kind) -> Callable[[Making], Injection]:
    def make(making: Making) -> Injection:
        one, other = making.pair(*kinds, round_trip=part in ("pair", "pair_udp") and not both)
        ways = [(one, other), (other, one)] if both else [(one, other)]
        suffix = f" tcp/{PORT}" if part == "pair_port" else ""
        named: list[Named] = [(part, f"{a}>{b}{suffix}") for a, b in ways]
        alike = [answer(*named)]
        if both and making.share >= 1 and (other, one) not in crossed_pairs(making.sim, kinds, 0, False):
            alike.append(answer(named[0]))
        if part == "pair" and _alone_in_zones(making.sim, one, other):
            zone_of = making.sim.cluster.zone_of
            alike.append(answer(*(("zone_pair", f"{zone_of[a]}>{zone_of[b]}") for a, b in ways)))
        return making.lossy(Truth(tuple(alike)), *(("pair", a, b) for a, b in ways), hits=hits)

    return make


def _network(making: Making) -> Injection:
    """What all nodes share, as a switch is: each way between two nodes."""
    nodes = making.sim.cluster.nodes
    return making.lossy(_one(("network", "all nodes")), *(("pair", a, b) for a in nodes for b in nodes if a != b))


def _pair_pod(making: Making) -> Injection:
    """Between the pod networks of two nodes only."""
    one, other = making.pair()
    return making.lossy(_one(("pair", f"{one}>{other}")), ("pair_pod", one, other))


def _pair_mtu(making: Making) -> Injection:
    one, other = making.pair(Kind.MTU, round_trip=False)
    return making.lossy(_one(("pair_mtu", f"{one}>{other}")), ("pair", one, other), hits=is_big)


def _node_mtu(both: bool) -> Callable[[Making], Injection]:
    """Big packets vanish, into a node only or both ways. TLS from there hangs where a certificate fills a packet, which
    no probe tells from a pair that is cut: so that may be said besides."""

    def make(making: Making) -> Injection:
        node = making.node()
        pairs: list[Named] = [("pair", f"{node}>{name}") for name in (API, INGRESS, OUTSIDE)]
        ports: list[Named] = [("pair_port", f"{node}>{name} tcp/443") for name in (API, INGRESS, OUTSIDE)]
        truth = Truth((answer(("node_mtu", node)),), answer(*pairs, *ports))
        components: list[Component] = [("node_in", node)]
        if both:
            components.append(("node_out", node))
        return making.lossy(truth, *components, hits=is_big)

    return make


def to_port(flow: Flow) -> bool:
    """Whether a packet goes to the TCP port of an agent."""
    return flow.proto == "tcp" and flow.port == PORT and not flow.reply


def is_big(flow: Flow) -> bool:
    """Whether a packet fills the path's MTU."""
    return flow.size >= BIG


def _node_family(*ways: str) -> Callable[[Making], Injection]:
    """One address family of a node, one way or both."""

    def make(making: Making) -> Injection:
        node, family = making.node(), making.rng.choice(making.sim.cluster.shape.families)
        named = ("node_family", f"{node} ipv{family}")
        return making.lossy(_one(named), *((way, node) for way in ways), hits=lambda flow: flow.family == family)

    return make


def _pair_family(making: Making) -> Injection:
    family = making.rng.choice(making.sim.cluster.shape.families)
    one, other = making.pair(family=family)
    named = ("pair_family", f"{one}>{other} ipv{family}")
    return making.lossy(_one(named), ("pair", one, other), hits=lambda flow: flow.family == family)


def _dns(part: str, **changes: float | bool) -> Callable[[Making], Injection]:
    """One DNS pod."""

    def make(making: Making) -> Injection:
        name = making.dns()
        share = {field: making.share if value == _SHARE else value for field, value in changes.items()}
        return making.server(_one((part, name)), [name], **share)

    return make


def _dns_all(**changes: float | bool) -> Callable[[Making], Injection]:
    """All DNS pods, and so the Service."""

    def make(making: Making) -> Injection:
        names = list(making.sim.cluster.dns)
        share = {field: making.share if value == _SHARE else value for field, value in changes.items()}
        part = _DEAF.get(frozenset(changes), "dns_server")
        pods: list[Named] = [(part, name) for name in names]
        service: Named = (part, DNS_SERVICE)
        answers = (answer(service), answer(("dns_service", DNS_SERVICE)), answer(*pods), answer(service, *pods))
        return making.server(Truth(answers), names, **share)

    return make


_SHARE = -1.0
"""In place of a share: that of the row."""

_DEAF = {frozenset({"deaf_udp"}): "dns_udp", frozenset({"deaf_tcp"}): "dns_tcp"}


def _dns_node(making: Making) -> Injection:
    node = making.node()
    truth = _one(("dns_node", f"{node}>dns"))
    return making.lossy(
        truth, ("pod_out", node), ("node_out", node), hits=lambda flow: flow.port == 53 and not flow.reply
    )


def _service_proxy(making: Making) -> Injection:
    node = making.node()
    return making.lossy(_one(("service_proxy", node)), ("proxy", node))


def _upstream(making: Making) -> Injection:
    servers = making.sim.servers

    def set_to(well: bool) -> Callable[[], None]:
        def change() -> None:
            servers.upstream = well

        return change

    truth = Truth((answer(("dns_upstream", UPSTREAM)),))
    return Injection(set_to(False), set_to(True), truth)


def _target(part: str, name: str, **changes: float | bool) -> Callable[[Making], Injection]:
    def make(making: Making) -> Injection:
        share = {field: making.share if value == _SHARE else value for field, value in changes.items()}
        return making.server(_one((part, name)), [name], **share)

    return make


def _missed(*, by_zone: bool) -> Callable[[Making], Injection]:
    """Packets of one node, or of all in its zone, to one plain target vanish; others reach it."""

    def make(making: Making) -> Injection:
        cluster, node = making.sim.cluster, making.node()
        target, zone = making.rng.choice((API, INGRESS, OUTSIDE)), cluster.zone_of[node]
        there = [name for name in cluster.nodes if cluster.zone_of[name] == zone] if by_zone else [node]
        alike: list[Named] = []
        if by_zone or _alone_in_zones(making.sim, node):
            alike.append(("zone_target", f"{zone}>{target}"))
        if there == [node]:
            alike += [("pair_port", f"{node}>{target} tcp/443"), ("pair", f"{node}>{target}")]
        return making.lossy(_either(*alike), *(("pair", name, target) for name in there))

    return make


def _service_silent(making: Making) -> Injection:
    """The agents' own Service leads nowhere, on no node; those of DNS and of the API server do."""
    proxies = [("proxy", node) for node in making.sim.cluster.nodes]
    return making.lossy(_one(("service", OWN_SERVICE)), *proxies, hits=lambda flow: flow.port not in (53, 443))


def _api_outage(making: Making) -> Injection:
    """The API server is gone, and so all that agents learn of members is out of date."""
    gone = making.server(_one(("api_server", API)), [API], gone=True)
    sim = making.sim

    def begin() -> None:
        gone.begin()
        sim.outdate("the API server does not answer")

    def heal() -> None:
        gone.heal()
        sim.outdate("")

    return Injection(begin, heal, gone.truth)


def _link_rate(making: Making) -> Injection:
    """A node's link passes 10 Mbit/s, which only trains of full size show."""
    node, rates = making.node(), making.sim.rates
    return Injection(lambda: rates.update({node: 10e6}), rates.clear, _one(("link_rate", node)))


def _conntrack_full(making: Making) -> Injection:
    """The node's conntrack table is full: what begins anew is dropped by chance, what goes on already passes."""
    node, sim = making.node(), making.sim
    truth = _either(("conntrack_full", node), ("new_flows", node))  # where nobody there can be read
    injection = making.lossy(truth, ("node_in", node), ("node_out", node), hits=_begins)
    hosts = [name for name, member in sim.members.items() if member.node == node and member.network is Network.HOST]

    def fill(drops: int) -> Callable[[], None]:
        def change() -> None:
            for name in hosts:
                sim.agents[name].conntrack_drops = drops

        return change

    def begin() -> None:
        injection.begin()
        fill(500)()

    def heal() -> None:
        injection.heal()
        fill(0)()

    return Injection(begin, heal, truth)


def _new_flows(making: Making) -> Injection:
    """A packet filter on a node lets nothing in but answers, and what goes on already."""
    node = making.node()
    return making.lossy(_one(("new_flows", node)), ("node_in", node), hits=_begins)


def _begins(flow: Flow) -> bool:
    """Whether it needs a new entry: trains go on from the same ports."""
    return not flow.reply and (flow.proto != "udp" or flow.port == 53)


def _zone_dead(share: float) -> Callable[[Making], Injection]:
    """So many nodes of a zone are without power."""

    def make(making: Making) -> Injection:
        zone = making.rng.choice(making.sim.cluster.zones)
        cluster = making.sim.cluster
        nodes = [node for node in cluster.nodes if cluster.zone_of[node] == zone]
        injections = [_dead(making, node) for node in nodes[: ceil(share * len(nodes))]]

        def begin() -> None:
            for injection in injections:
                injection.begin()

        def heal() -> None:
            for injection in injections:
                injection.heal()

        alike = (answer(("zone", zone)),) if len(nodes) > 1 else (answer(("zone", zone)), answer(("node", nodes[0])))
        return Injection(begin, heal, Truth(alike))

    return make


_UNREADY = 10.0
"""Seconds until two readiness probes have failed (deploy/kubesonar.yaml): the Service leads to the agent no longer."""


def _agent(part: str) -> Callable[[Making], Injection]:
    """Both agents of a node are gone or frozen."""

    def make(making: Making) -> Injection:
        node, sim = making.node(), making.sim
        names = [member.name for member in sim.members.values() if member.node == node]

        def begin() -> None:
            for name in names:
                if part == "agent_gone":
                    sim.stop(name)
                else:
                    sim.freeze(name, making.until)

            sim.unready(names, _UNREADY)

        def heal() -> None:
            if part == "agent_gone":
                for name in names:
                    sim.revive(name)
            sim.ready(names)

        return Injection(begin, heal, _either((part, node)))

    return make


def _agent_gone_one(making: Making) -> Injection:
    """One of the agents of a node is gone."""
    node, sim = making.node(), making.sim
    name = making.rng.choice([member.name for member in sim.members.values() if member.node == node])
    truth = _one(("agent_gone", name if len(sim.cluster.shape.networks) > 1 else node))

    def begin() -> None:
        sim.stop(name)
        sim.unready([name], _UNREADY)

    def heal() -> None:
        sim.revive(name)
        sim.ready([name])

    return Injection(begin, heal, truth)


def _node_dead(making: Making) -> Injection:
    """A node without power: nothing in or out, and afterwards its agents have lost their memory."""
    return _dead(making, making.node())


def _dead(making: Making, node: str) -> Injection:
    sim = making.sim
    names = [member.name for member in sim.members.values() if member.node == node]
    effects = [Effect((kind, node), Steady(1.0)) for kind in ("node_in", "node_out")]

    def begin() -> None:
        sim.network.apply(effects)
        for name in names:
            sim.stop(name)

    def heal() -> None:
        sim.network.lift(effects)
        for name in names:
            sim.revive(name)

    return making.losing(node, Injection(begin, heal, _one(("node", node))))


def _slow(part: str) -> Callable[[Making], Injection]:
    """50 ms more, one way."""

    def make(making: Making) -> Injection:
        if part == "node_slow":
            subject = making.node()
            components: list[Component] = [("node_out", subject)]
        elif part == "zone_pair_slow":
            one, other = making.zones()
            subject, components = f"{one}>{other}", [("zone", one, other)]
        else:
            one, other = making.pair()
            subject, components = f"{one}>{other}", [("pair", one, other)]
        alike = [(part, subject)]
        if part == "pair_slow" and _alone_in_zones(making.sim, one, other):
            zone_of = making.sim.cluster.zone_of
            alike.append(("zone_pair_slow", f"{zone_of[one]}>{zone_of[other]}"))
        alike += [(name, ">".join(reversed(whose.split(">")))) for name, whose in alike]
        return making.slow(_either(*alike), 0.05, *components)

    return make


FAULTS: dict[str, Callable[[Making], Injection]] = {
    "node": _node("node"),
    "node_in": _node("node_in"),
    "node_out": _node("node_out"),
    "pod_network": _pod_network("pod_network"),
    "pod_network_in": _pod_network("pod_network_in"),
    "pod_network_out": _pod_network("pod_network_out"),
    "zone_pair": _zone_pair(False),
    "zone_pair_both": _zone_pair(True),
    "network": _network,
    "pair": _pair("pair", False, None),
    "pair_both": _pair("pair", True, None),
    "pair_pod": _pair_pod,
    "pair_udp": _pair("pair_udp", False, lambda flow: flow.proto == "udp", Kind.UDP),
    "pair_port": _pair("pair_port", False, to_port, Kind.TCP),
    "pair_mtu": _pair_mtu,
    "node_mtu": _node_mtu(False),
    "node_mtu_both": _node_mtu(True),
    "node_family": _node_family("node_in", "node_out"),
    "node_family_in": _node_family("node_in"),
    "node_family_out": _node_family("node_out"),
    "pair_family": _pair_family,
    "dns_udp": _dns("dns_udp", deaf_udp=_SHARE),
    "dns_tcp": _dns("dns_tcp", deaf_tcp=_SHARE),
    "dns_silent": _dns("dns_server", deaf_udp=_SHARE, deaf_tcp=_SHARE),
    "dns_gone": _dns("dns_server", gone=True),
    "dns_servfail": _dns("dns_server", failing=_SHARE, code=SERVFAIL),
    "dns_refusing": _dns("dns_server", failing=_SHARE, code=REFUSED),
    "dns_empty": _dns("dns_server", empty=True),
    "dns_all_udp": _dns_all(deaf_udp=_SHARE),
    "dns_all_silent": _dns_all(deaf_udp=_SHARE, deaf_tcp=_SHARE),
    "dns_all_servfail": _dns_all(failing=_SHARE, code=SERVFAIL),
    "dns_all_gone": _dns_all(gone=True),
    "dns_node": _dns_node,
    "service_proxy": _service_proxy,
    "dns_upstream": _upstream,
    "api_silent": _target("api_server", API, deaf_tcp=_SHARE),
    "api_gone": _target("api_server", API, gone=True),
    "api_failing": _target("api_server", API, failing=_SHARE),
    "api_slow": _target("target_slow", API, delay=2.0),
    "ingress_silent": _target("ingress", INGRESS, deaf_tcp=_SHARE),
    "ingress_failing": _target("ingress", INGRESS, failing=_SHARE),
    "outside_silent": _target("external", OUTSIDE, deaf_tcp=_SHARE),
    "outside_failing": _target("external", OUTSIDE, failing=_SHARE),
    "node_target": _missed(by_zone=False),
    "zone_target": _missed(by_zone=True),
    "service_silent": _service_silent,
    "agent_gone": _agent("agent_gone"),
    "agent_frozen": _agent("agent_frozen"),
    "node_dead": _node_dead,
    "agent_gone_one": _agent_gone_one,
    "api_outage": _api_outage,
    "zone_dead": _zone_dead(1.0),
    "zone_most_dead": _zone_dead(0.8),
    "conntrack_full": _conntrack_full,
    "new_flows_in": _new_flows,
    "link_rate": _link_rate,
    "node_slow": _slow("node_slow"),
    "pair_slow": _slow("pair_slow"),
    "zone_pair_slow": _slow("zone_pair_slow"),
    "dns_slow": _dns("dns_slow", delay=0.5),
}
"""All faults, by the name that rows use."""
