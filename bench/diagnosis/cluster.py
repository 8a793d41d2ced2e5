"""The virtual cluster: nodes, zones, members and what they depend on, and the options of its agents."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from random import Random

import msgspec

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.core.probing.cluster_facts import DnsPod, ServiceEndpoint, Surroundings
from kubesonar.core.probing.plan import Target
from kubesonar.model import Kind, Member, Network, Path

PORT = 7473
"""Port of every agent, UDP and TCP."""

DOMAIN = "cluster.local"
API, INGRESS, OUTSIDE, UPSTREAM = "api-server", "ingress", "outside", "upstream"
DNS_SERVICE, OWN_SERVICE = "dns-service", "service"
"""Names of the plain targets, as the agents' checks have them."""

_API_ADDRESS, _SERVICE_ADDRESS, DNS_ADDRESS = "10.96.0.1", "10.96.0.50", "10.96.0.10"
SEARCH = 5
"""Names that a look-up of a name without a final dot may try in a usual pod: four suffixes and the name itself."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How big the cluster is, what runs in it, and what is usual there. `background` is the loss of every component (a
    share of packets); `bursts` gives every component two seconds at half loss each ten minutes instead. `lag` is the
    longest time (s) until a roster reaches an agent, `starved` the share of agents that stand still once a minute for
    up to ten seconds, `unread` that of agents whom the observer cannot ask, and `clocks` lets nodes' clocks differ.
    `sizes` are the nodes of each zone, where these are not to be alike; `zones` says nothing then."""

    nodes: int = 20
    zones: int = 3
    k: int = 10
    networks: tuple[Network, ...] = (Network.HOST, Network.POD)
    families: tuple[int, ...] = (4,)
    dns_pods: int = 2
    background: float = 0.0
    bursts: bool = False
    lag: float = 0.0
    starved: float = 0.0
    unread: float = 0.0
    clocks: bool = False
    sizes: tuple[int, ...] = ()


class Place(msgspec.Struct, frozen=True):
    """Where packets start or end: a member, or a plain target, which has a node only where it is a pod of the cluster.
    `zone` is empty where no zone pair is crossed to get there."""

    name: str
    node: str = ""
    zone: str = ""
    network: Network | None = None


class Cluster:
    """Nodes `node-1` … in zones `a` …, in turn unless sizes are given; a member of each network on each node; DNS pods
    on nodes by chance."""

    def __init__(self, shape: Shape, rng: Random) -> None:
        self.shape = shape
        self.zones = tuple("abcdefgh"[: len(shape.sizes) or max(1, min(shape.zones, shape.nodes))])
        self.nodes = tuple(f"node-{number}" for number in range(1, shape.nodes + 1))
        sized = [zone for zone, size in zip(self.zones, shape.sizes, strict=False) for _ in range(size)]
        self.zone_of = dict(zip(self.nodes, sized or cycle(self.zones), strict=bool(sized)))
        self.members = tuple(
            _member(node, index, network, self.zone_of[node], shape.families)
            for index, node in enumerate(self.nodes, 1)
            for network in shape.networks
        )
        homes = rng.sample(self.nodes, min(shape.dns_pods, shape.nodes))
        self.dns = {f"coredns-{number}": node for number, node in enumerate(homes, 1)}
        self.places = {member.name: place_of(member) for member in self.members}
        for name, node in self.dns.items():
            self.places[name] = Place(name, node, self.zone_of[node], Network.POD)
        self.places[API] = Place(API, zone=rng.choice(self.zones))
        self.places[INGRESS] = Place(INGRESS)
        self.places[OUTSIDE] = Place(OUTSIDE)
        self.addresses = {name: f"10.244.250.{number}" for number, name in enumerate(self.dns, 1)}
        self.epoch = rng.uniform(1.7e9, 1.8e9)
        """Unix seconds at virtual time 0."""

    def surroundings(self, node: str, dns: Sequence[str]) -> Surroundings:
        """What an agent on that node finds around; `dns` are the DNS pods in rotation."""
        return Surroundings(
            node=node,
            api=ServiceEndpoint(_API_ADDRESS, 443),
            domain=DOMAIN,
            nameservers=(DNS_ADDRESS,),
            vips=(DNS_ADDRESS,),
            dns_pods=tuple(DnsPod(name, self.addresses[name], node=self.dns[name]) for name in dns),
            service=(ServiceEndpoint(_SERVICE_ADDRESS, PORT),),
        )

    def options(self) -> AgentOptions:
        """Defaults, with everything switched on that needs a name or an address of the cluster."""
        default = AgentOptions()
        replace = msgspec.structs.replace
        return replace(
            default,
            schedule=replace(default.schedule, members=self.shape.k),
            cluster=replace(
                default.cluster,
                service=replace(default.cluster.service, name="kubesonar"),
                ingress=replace(default.cluster.ingress, url="https://ingress.example.com/"),
            ),
            targets=(
                Target(name=OUTSIDE, kind=Kind.HTTP, path=Path.EXTERNAL, request="https://outside.example.com/"),
                Target(
                    name=UPSTREAM,
                    kind=Kind.DNS,
                    path=Path.DNS_UPSTREAM,
                    address=DNS_ADDRESS,
                    request="outside.example.com A udp",
                ),
            ),
        )


def place_of(member: Member) -> Place:
    """Where a member is."""
    return Place(member.name, member.node, member.zone, member.network)


def _member(node: str, index: int, network: Network, zone: str, families: tuple[int, ...]) -> Member:
    high, low = divmod(index, 250)
    nets = {Network.HOST: ("10.0", "fd00:0"), Network.POD: ("10.244", "fd00:244")}
    four, six = nets[network]
    addresses = {4: f"{four}.{high}.{low + 1}", 6: f"{six}::{index:x}"}
    return Member(
        name=f"{node}-{network.value}",
        node=node,
        addresses=tuple(addresses[family] for family in families),
        port=PORT,
        network=network,
        zone=zone,
    )
