"""What runs in the lab: an agent for every member, and the servers that they check."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import msgspec
import uvloop

from kubesonar.apps import agent
from kubesonar.apps.agent.options import AgentOptions, ApiOptions, MemberOptions
from kubesonar.apps.lab.rooms import entrance_port, room_port, rooms_of
from kubesonar.core.probing.cluster_options import ClusterOptions
from kubesonar.core.probing.plan import PlanOptions, Rhythm, Target
from kubesonar.core.probing.schedule import ScheduleOptions
from kubesonar.discovery.options import RosterOptions
from kubesonar.lab.servers.api_server import api_server
from kubesonar.lab.servers.certificates import Certificates, make_certificates
from kubesonar.lab.servers.ingress import ingress
from kubesonar.lab.servers.nameserver import Zone, cluster_records, dns_server
from kubesonar.lab.servers.pager import pager
from kubesonar.lab.topology import LabPlan, LabServer, Role
from kubesonar.lab.world import LabWorld
from kubesonar.model import Kind, Member, Path
from kubesonar.notify.options import NotifyOptions, ReceiverOptions
from kubesonar.probes.udp import UdpOptions
from kubesonar.web import ListenOptions

_DOMAIN = "cluster.local"
_QUESTION = f"kubernetes.default.svc.{_DOMAIN} A"

_EVERYWHERE = MemberOptions().bind
_LOOPBACK = "127.0.0.1"  # where an agent looks at itself

_SMALL = 15
"""Up to so many nodes each agent probes all it can and often; above, less, so that two cores carry a hundred."""
_PACKETS = 10
_TRAIN, _PAYLOAD = 8, 320
"""A train is longer than what a slow link lets pass at once (shaper.py), so that it shows the link's speed."""


def start(world: LabWorld, compat: str = "") -> None:
    """Starts the servers and then the agents, those in pod networks with the room `compat` beside them, if any. Call
    from the main thread."""
    addresses = [address for server in world.plan.servers for address in server.addresses]
    certificates = make_certificates(world.directory.certificates, addresses)
    for server in world.plan.servers:
        world.start_server(server, partial(_serve, _server(server, world, certificates)))
    targets = _targets(world.plan, certificates)
    rooms = rooms_of(world, compat, certificates) if compat else {}
    for member in world.plan.members:
        options = agent_options(world, member, targets)
        if member.name in rooms:
            options = msgspec.structs.replace(options, rooms=(compat,))
        world.start(member, partial(agent.run_agent, options, rooms.get(member.name, {})))


def agent_options(world: LabWorld, member: Member, targets: tuple[Target, ...]) -> AgentOptions:
    """The configuration of one agent: `_PACKETS` UDP packets a second to each of its neighbours, over all families."""
    few = len(world.plan.nodes) <= _SMALL
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
        schedule=ScheduleOptions(members=10 if few else 4),
        plan=_rhythms(1.0 if few else 4.0, (4, 6) if world.plan.namespaces else (4,)),
        targets=targets,
        cluster=ClusterOptions(detect=False),
        udp=UdpOptions(train=_TRAIN, size=_PAYLOAD),
        notify=NotifyOptions(receivers=_receivers(world.plan)),
        api=ApiOptions(listen=(ListenOptions(address=f"unix:{world.directory.agent_socket(member.name)}"),)),
    )


def _receivers(plan: LabPlan) -> tuple[ReceiverOptions, ...]:
    return tuple(
        ReceiverOptions(name=server.name, url=f"http://{server.addresses[0]}:{server.port}/")
        for server in plan.of_role(Role.PAGER)
    )


def _rhythms(slower: float, families: tuple[int, ...]) -> PlanOptions:
    return PlanOptions(
        families=families,
        udp=Rhythm(period=len(families) * _TRAIN / _PACKETS, timeout=1.0),
        tcp=Rhythm(period=1.0 * slower, timeout=1.0),
        http=Rhythm(period=2.0 * slower, timeout=1.5),
        icmp=Rhythm(period=1.0 * slower, timeout=0.8),
        mtu=Rhythm(period=5.0 * slower, timeout=1.5),
    )


def _targets(plan: LabPlan, certificates: Certificates) -> tuple[Target, ...]:
    return tuple(
        target for server in plan.servers for target in _TARGETS[server.role](server, str(certificates.authority))
    )


def _dns_targets(server: LabServer, _trust: str) -> list[Target]:
    return [
        Target(
            name=server.name,
            kind=Kind.DNS,
            path=Path.DNS_POD,
            address=server.addresses[0],
            port=server.port,
            request=f"{_QUESTION} {transport}",
            period=1.0,
            timeout=0.8,
        )
        for transport in ("udp", "tcp")
    ]


def _api_targets(server: LabServer, trust: str) -> list[Target]:
    url = f"https://{server.addresses[0]}:{server.port}/readyz"
    return [_web_target(server, Path.API_DIRECT, url, trust)]


def _ingress_targets(server: LabServer, _trust: str) -> list[Target]:
    return [_web_target(server, Path.INGRESS, f"http://{server.addresses[0]}:{server.port}/healthz")]


def _web_target(server: LabServer, path: Path, url: str, trust: str = "") -> Target:
    return Target(
        name=server.name,
        kind=Kind.HTTP,
        path=path,
        address=server.addresses[0],
        port=server.port,
        request=url,
        trust=trust,
        period=2.0,
        timeout=1.5,
    )


_TARGETS: dict[Role, Callable[[LabServer, str], list[Target]]] = {
    Role.DNS: _dns_targets,
    Role.API: _api_targets,
    Role.INGRESS: _ingress_targets,
    Role.PAGER: lambda server, trust: [],
}

_Work = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


def _server(server: LabServer, world: LabWorld, certificates: Certificates) -> _Work:
    """What a server does until the event is set."""
    plan, roster = world.plan, world.directory.roster
    match server.role:
        case Role.DNS:
            zone = Zone(_DOMAIN, cluster_records(_DOMAIN))
            return lambda stop: dns_server(server.addresses, server.port, zone, stop)
        case Role.API:
            return lambda stop: api_server(server.addresses, server.port, certificates, roster, stop)
        case Role.PAGER:
            notices = world.directory.notices
            return lambda stop: pager(server.addresses, server.port, notices, stop)
        case Role.INGRESS:
            agents = [(node.pod.addresses[0], node.pod.port) for node in plan.nodes]
            others = [(address, room_port(plan)) for address, _ in agents]
            return lambda stop: _both(
                ingress(server.addresses, server.port, agents, stop),
                ingress(server.addresses, entrance_port(plan), others, stop),
            )


async def _both(first: Coroutine[Any, Any, None], second: Coroutine[Any, Any, None]) -> None:
    await asyncio.gather(first, second)


def _serve(work: _Work) -> None:
    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await work(stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
