"""The processes of the lab: an agent for every member, and the servers that they check."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from enum import StrEnum
from functools import partial
from secrets import token_hex
from typing import Any

import msgspec
import uvloop

from kubesonar.apps import agent
from kubesonar.apps.agent.options import AgentOptions, ApiOptions, CoordinatorOptions, KeyOptions, MemberOptions
from kubesonar.apps.collector import run_collector
from kubesonar.apps.collector.options import CollectorOptions, CollectorStoreOptions, StoreKind
from kubesonar.apps.collector.replicas.options import ReplicaOptions
from kubesonar.apps.lab.rooms import entrance_port, room_port, rooms_of
from kubesonar.core.address import bracketed
from kubesonar.core.decoding import convert_plain
from kubesonar.core.dns.records import Record, RecordType
from kubesonar.core.encoding import encode_json
from kubesonar.core.probing.cluster_options import ClusterOptions
from kubesonar.core.probing.plan import PlanOptions, Rhythm, Target
from kubesonar.core.probing.schedule import ScheduleOptions
from kubesonar.discovery.options import RosterOptions
from kubesonar.lab.servers.api_server import api_server
from kubesonar.lab.servers.certificates import Certificates, make_certificates
from kubesonar.lab.servers.dns_forwarder import Forwarder
from kubesonar.lab.servers.ingress import ingress
from kubesonar.lab.servers.nameserver import LARGE_NAME, TTL, Zone, cluster_records, dns_server, large_records
from kubesonar.lab.servers.pager import pager
from kubesonar.lab.topology import DNS_CACHE, DNS_VIP, LabPlan, LabServer, Role
from kubesonar.lab.world import LabWorld
from kubesonar.model import COLLECTOR_PORT, LARGE, Kind, Member, Path
from kubesonar.notify.options import NotifyOptions, ReceiverOptions
from kubesonar.probes.udp import UdpOptions
from kubesonar.reports.options import IntakeOptions, ReportOptions
from kubesonar.web import ListenOptions

_DOMAIN = "cluster.local"
_QUESTION = f"kubernetes.default.svc.{_DOMAIN} A"

_LARGE = f"{LARGE_NAME}.{_DOMAIN} A"

_OUTSIDE = "example.com"
"""A name outside of the cluster, which the lab's upstream knows."""

_EVERYWHERE = MemberOptions().bind
_LOOPBACK = "127.0.0.1"
"""The address at which an agent probes itself."""

_LOOPBACK_JUDGE = 7300
"""The port of a coordinator's collector where all members share the loopback, whose ports begin with `MEMBER_PORT`."""

_SMALL = 15
"""Most nodes of a lab whose agents probe often. With more nodes they probe less, so that two cores carry a hundred."""
_PACKETS = 10
"""UDP packets a second that an agent sends to each neighbour, over all families."""
_HEAD_START = 0.1
"""Seconds by which a DNS server that passes questions on gives up before its client does. Less, and SERVFAIL comes too
late for a client; more, and slow answers fail that a client would have waited for."""
_UNTOLD = Rhythm(period=10.0, timeout=3.0)
"""Seconds between two checks of a plain target whose configuration says nothing (core/probing/plan.Target)."""


class Rates(StrEnum):
    """The rates at which the lab's agents probe: ten times as often as in production, or as an agent does that is told
    nothing else."""

    LAB = "lab"
    DEFAULT = "default"


def start(
    world: LabWorld,
    compat: str = "",
    rates: Rates = Rates.LAB,
    page: socket.socket | None = None,
    *,
    judge: bool = False,
) -> None:
    """Start the servers and then the agents, those in pod networks with the room `compat` beside them, if any; the
    first collector serves its page at the socket `page` too, or the agent that is elected, where that is to `judge`. To
    be called from the main thread."""
    certificates = start_servers(world, page, rates)
    targets = tuple(_targets(world.plan, certificates, rates))
    rooms = rooms_of(world, compat, certificates) if compat else {}
    for member in world.plan.members:
        options = agent_options(world, member, (*targets, *_cache_targets(world.plan, member, rates)), rates)
        if judge:
            options = judging_options(world, options, page)
        if member.name in rooms:
            options = msgspec.structs.replace(options, rooms=(compat,))
        world.start(member, partial(agent.run_agent, options, rooms.get(member.name, {})))


def start_servers(world: LabWorld, page: socket.socket | None = None, rates: Rates = Rates.LAB) -> Certificates:
    """Start the servers and return the certificates of the API server; the first collector serves its page at the
    socket `page` too. To be called from the main thread."""
    addresses = [address for server in world.plan.servers for address in server.addresses]
    certificates = make_certificates(world.directory.certificates, addresses)
    for server in world.plan.servers:
        if server.role is Role.COLLECTOR:
            world.start_server(server, partial(run_collector, collector_options(world, server, page)))
            page = None
        else:
            world.start_server(server, partial(_serve, _server(server, world, certificates, rates)))
    for node in world.plan.nodes if world.plan.dns else ():
        servers = [(server.addresses[0], server.port) for server in world.plan.of_role(Role.DNS)]
        cache = Forwarder(servers, _forwarding(rates))
        world.start_cache(node, partial(_serve, partial(dns_server, (DNS_CACHE,), 53, cache)))
    return certificates


def agent_options(
    world: LabWorld, member: Member, targets: tuple[Target, ...], rates: Rates = Rates.LAB
) -> AgentOptions:
    """Return the configuration of one agent."""
    few = len(world.plan.nodes) <= _SMALL
    families = (4, 6) if world.plan.namespaces else (4,)
    often = rates is Rates.LAB
    return AgentOptions(
        member=MemberOptions(
            name=member.name,
            node=member.node,
            zone=member.zone,
            network=member.network,
            bind=_EVERYWHERE if world.plan.namespaces else (*member.addresses, _LOOPBACK),
            port=member.port,
        ),
        roster=RosterOptions(file=str(world.directory.roster), poll=0.2),
        schedule=ScheduleOptions(members=10 if few else 4) if often else ScheduleOptions(),
        plan=_rhythms(1.0 if few else 4.0, families) if often else PlanOptions(families=families),
        targets=targets,
        cluster=ClusterOptions(name="lab", detect=False),
        notify=NotifyOptions(receivers=_receivers(world.plan)),
        reports=_reports(world),
        api=ApiOptions(listen=(ListenOptions(address=f"unix:{world.directory.agent_socket(member.name)}"),)),
    )


def judging_options(world: LabWorld, options: AgentOptions, page: socket.socket | None) -> AgentOptions:
    """Return the configuration of an agent that judges once it is elected; its collector answers at the socket `page`
    too. Writes the key by which agents sign reports."""
    key = world.directory.key_file
    if not key.exists():
        key.touch(0o600)
        key.write_text(f"1 {token_hex(16)}\n")
    listen = [f"unix:{world.directory.collector_socket(options.member.name)}"]
    if page is not None:
        listen.append(f"fd:{page.fileno()}")
    port = COLLECTOR_PORT if world.plan.namespaces else _LOOPBACK_JUDGE
    coordinator = CoordinatorOptions(
        judge=True, port=port, listen=tuple(ListenOptions(address=address) for address in listen)
    )
    return msgspec.structs.replace(options, keys=KeyOptions(file=str(key)), coordinator=coordinator)


def collector_options(world: LabWorld, server: LabServer, page: socket.socket | None = None) -> CollectorOptions:
    """Return the configuration of one collector, which listens at the socket `page` too. Makes the directory of its
    store, and the secret that agents show."""
    directory, secret = world.directory.collector_store(server.name), world.directory.collector_secret
    directory.mkdir(mode=0o700, exist_ok=True)
    if not secret.exists():
        secret.touch(0o600)
        secret.write_text(f"{token_hex(16)}\n")
    listen = [f"{bracketed(address)}:{server.port}" for address in server.addresses]
    listen.append(f"unix:{world.directory.collector_socket(server.name)}")
    if page is not None:
        listen.append(f"fd:{page.fileno()}")
    return CollectorOptions(
        replicas=_replicas(world, server),
        listen=tuple(ListenOptions(address=address) for address in listen),
        reports=IntakeOptions(secret_file=str(secret)),
        store=CollectorStoreOptions(kind=StoreKind.SQLITE, directory=str(directory)),
    )


def _replicas(world: LabWorld, server: LabServer) -> ReplicaOptions:
    """Return how several collectors agree: by a Lease of the lab's API server. Writes the kubeconfig for that."""
    peers = _collector_urls(world.plan)
    if len(peers) < 2:
        return ReplicaOptions(name=server.name)
    (api,) = world.plan.of_role(Role.API)
    reached = {
        "server": f"https://{bracketed(api.addresses[0])}:{api.port}",
        "certificate-authority": str(world.directory.certificates / "ca.pem"),
    }
    config = {
        "clusters": [{"name": "lab", "cluster": reached}],
        "users": [{"name": "lab", "user": {"token": "lab"}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "current-context": "lab",
    }
    world.directory.kubeconfig.write_bytes(encode_json(config))
    return ReplicaOptions(
        name=server.name,
        peers=peers,
        token_file=str(world.directory.collector_secret),
        lease="collector",
        kubeconfig=str(world.directory.kubeconfig),
    )


def _collector_urls(plan: LabPlan) -> tuple[str, ...]:
    return tuple(f"http://{server.addresses[0]}:{server.port}" for server in plan.of_role(Role.COLLECTOR))


def _reports(world: LabWorld) -> ReportOptions:
    to = _collector_urls(world.plan)
    if not to:
        return ReportOptions()
    return ReportOptions(to=to, token_file=str(world.directory.collector_secret), timeout=2.0)


def _receivers(plan: LabPlan) -> tuple[ReceiverOptions, ...]:
    return tuple(
        ReceiverOptions(name=server.name, url=f"http://{server.addresses[0]}:{server.port}/")
        for server in plan.of_role(Role.PAGER)
    )


def _rhythms(slower: float, families: tuple[int, ...]) -> PlanOptions:
    return PlanOptions(
        families=families,
        udp=Rhythm(period=len(families) * UdpOptions().train / _PACKETS, timeout=1.0),
        tcp=Rhythm(period=1.0 * slower, timeout=1.0),
        http=Rhythm(period=2.0 * slower, timeout=1.5),
        icmp=Rhythm(period=1.0 * slower, timeout=0.8),
        mtu=Rhythm(period=5.0 * slower, timeout=1.5),
    )


def _targets(plan: LabPlan, certificates: Certificates, rates: Rates) -> Iterator[Target]:
    """Yield the checks of the DNS servers (over UDP and TCP), of the API server and of the ingress."""
    often = rates is Rates.LAB
    dns = _dns_rhythm(rates)
    http = Rhythm(period=2.0, timeout=1.5) if often else _UNTOLD
    for server in plan.servers:
        host = f"{server.addresses[0]}:{server.port}"
        match server.role:
            case Role.DNS:
                for transport in ("udp", "tcp"):
                    yield _target(server, Kind.DNS, Path.DNS_POD, f"{_QUESTION} {transport}", dns)
            case Role.API:
                trust = str(certificates.authority)
                yield _target(server, Kind.HTTP, Path.API_DIRECT, f"https://{host}/readyz", http, trust)
            case Role.INGRESS:
                yield _target(server, Kind.HTTP, Path.INGRESS, f"http://{host}/healthz", http)
    yield from _service_targets(plan, rates)


def _target(server: LabServer, kind: Kind, path: Path, request: str, rhythm: Rhythm, trust: str = "") -> Target:
    where = {"name": server.name, "address": server.addresses[0], "port": server.port}
    pace = {"period": rhythm.period, "timeout": rhythm.timeout}
    how = {"kind": kind, "path": path, "request": request, "trust": trust, **pace}
    return convert_plain({**where, **how}, Target)


def _cache_targets(plan: LabPlan, member: Member, rates: Rates) -> Iterator[Target]:
    """Yield the checks of the DNS cache of a member's node, where there is one."""
    if plan.dns:
        cache = LabServer(f"dns-node-local-{member.node}", Role.DNS, (DNS_CACHE,), 53)
        for transport in ("udp", "tcp"):
            yield _target(cache, Kind.DNS, Path.DNS_NODE_LOCAL, f"{_QUESTION} {transport}", _dns_rhythm(rates))


def _service_targets(plan: LabPlan, rates: Rates) -> Iterator[Target]:
    """Yield the checks of the DNS Service, of a name outside of the cluster, and of large answers of the DNS servers,
    where there is a Service: half as often, within the budget of each server."""
    if plan.dns:
        service = LabServer("dns-service", Role.DNS, (DNS_VIP,), 53)
        for transport in ("udp", "tcp"):
            yield _target(service, Kind.DNS, Path.DNS_SERVICE, f"{_QUESTION} {transport}", _dns_rhythm(rates))
        half = Rhythm(period=2 * _dns_rhythm(rates).period, timeout=_dns_rhythm(rates).timeout)
        for server in plan.of_role(Role.DNS):
            yield _target(server, Kind.DNS, Path.DNS_POD, f"{_LARGE} {LARGE}", half)
        outside = msgspec.structs.replace(service, name="names-outside")
        yield _target(outside, Kind.DNS, Path.DNS_UPSTREAM, f"{_OUTSIDE} A udp", _dns_rhythm(rates))


def _dns_rhythm(rates: Rates) -> Rhythm:
    return Rhythm(period=1.0, timeout=0.8) if rates is Rates.LAB else _UNTOLD


def _forwarding(rates: Rates) -> float:
    """Return the seconds that a DNS server which passes questions on waits for an answer: nearly as long as the agents,
    so that a busy machine makes no SERVFAIL that they would not have missed anyway."""
    return _dns_rhythm(rates).timeout - _HEAD_START


_Work = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


def _server(server: LabServer, world: LabWorld, certificates: Certificates, rates: Rates) -> _Work:
    """Return the coroutine function that serves until its event is set. Raises ValueError for a collector, which is a
    program of its own."""
    plan, roster = world.plan, world.directory.roster
    match server.role:
        case Role.DNS:
            beyond = [(one.addresses[0], one.port) for one in plan.of_role(Role.UPSTREAM)]
            zone = Zone(_DOMAIN, (*cluster_records(_DOMAIN), *large_records(_DOMAIN)))
            source = Forwarder(beyond, _forwarding(rates), zone) if beyond else zone
            return lambda stop: dns_server(server.addresses, server.port, source, stop)
        case Role.UPSTREAM:
            outside = Zone("com", (Record(_OUTSIDE, RecordType.A, TTL, "192.0.2.1"),))
            return lambda stop: dns_server(server.addresses, server.port, outside, stop)
        case Role.API:
            return lambda stop: api_server(server.addresses, server.port, certificates, roster, stop)
        case Role.PAGER:
            notices = world.directory.notices
            return lambda stop: pager(server.addresses, server.port, notices, stop)
        case Role.INGRESS:
            agents = [(node.pod.addresses[0], node.pod.port) for node in plan.nodes]
            others = [(address, room_port(plan)) for address, _ in agents]

            async def both(stop: asyncio.Event) -> None:
                to_rooms = ingress(server.addresses, entrance_port(plan), others, stop)
                await asyncio.gather(ingress(server.addresses, server.port, agents, stop), to_rooms)

            return both
        case Role.COLLECTOR:
            raise ValueError(f"{server.name} is a program of its own")


def _serve(work: _Work) -> None:
    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await work(stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
