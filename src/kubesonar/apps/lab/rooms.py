"""An older tool's room on every node of the lab, beside the agent in the pod network, and its acceptance test."""

from __future__ import annotations

import asyncio

from kubesonar.compat import LabPlacement, RoomRequest, acceptance_test
from kubesonar.lab.servers.certificates import Certificates
from kubesonar.lab.topology import LabPlan, Role
from kubesonar.lab.world import LabWorld
from kubesonar.net.clock import SystemClock
from kubesonar.net.http.client import Fetcher

_PORT, _ENTRANCE = 8080, 8080
_LOOPBACK_PORT, _LOOPBACK_ENTRANCE = 7380, 7381
"""Ports without namespaces, where all members share those of one machine."""

_PATIENCE = 20.0
"""Seconds within which every room must pass."""
_PAUSE = 0.5
"""Seconds between two tries."""
_ANSWER = 8.0
"""Seconds for one response of a room."""
_SIZE = 8 << 20
"""Most bytes of one response."""


def room_port(plan: LabPlan) -> int:
    """Return the port of each room."""
    return _PORT if plan.namespaces else _LOOPBACK_PORT


def entrance_port(plan: LabPlan) -> int:
    """Return the port at which the ingress forwards to the rooms."""
    return _ENTRANCE if plan.namespaces else _LOOPBACK_ENTRANCE


def rooms_of(world: LabWorld, name: str, certificates: Certificates) -> dict[str, dict[str, str]]:
    """Return the variables of the room beside each member in a pod network, by the member's name. Writes the service
    account."""
    account = world.directory.account
    (account / "ca.crt").write_bytes(certificates.authority.read_bytes())
    (account / "token").write_text("of-the-lab")
    plan, told = world.plan, acceptance_test(name)
    (api, *_), (entrance, *_) = plan.of_role(Role.API), plan.of_role(Role.INGRESS)
    return {
        node.pod.name: told.environ(
            LabPlacement(
                pod=node.pod.name,
                node=node.name,
                addresses=node.pod.addresses,
                port=room_port(plan),
                socket=str(world.directory.room_socket(node.pod.name)),
                api_addresses=api.addresses,
                api_port=api.port,
                account=str(account),
                entrance=f"http://{entrance.addresses[0]}:{entrance_port(plan)}",
            )
        )
        for node in plan.nodes
    }


async def acceptance_failures(world: LabWorld, name: str) -> dict[str, str]:
    """Run the acceptance test until all rooms have passed or `_PATIENCE` is over. Return what each room lacks, by the
    member's name; empty for a room that has passed."""
    trial, mono = acceptance_test(name), SystemClock().mono
    end = mono() + _PATIENCE
    with Fetcher(timeout=_ANSWER, limit=_SIZE) as fetcher:
        while True:
            names = [node.pod.name for node in world.plan.nodes]
            clauses = await asyncio.gather(*(trial.failure(_asking(world, fetcher, pod)) for pod in names))
            if not any(clauses) or mono() > end:
                return dict(zip(names, clauses, strict=True))
            await asyncio.sleep(_PAUSE)


def _asking(world: LabWorld, fetcher: Fetcher, pod: str) -> RoomRequest:
    async def ask(path: str) -> tuple[int, bytes]:
        answer = await fetcher.get(f"unix:{world.directory.room_socket(pod)}", path)
        return answer.status, answer.body

    return ask
