"""The standpoints from which a cluster's DNS can be looked at, in order of preference, and the choice among them.

Each row of `STANDPOINTS` looks whether it can be taken and says why, or why not; the first that can is taken.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from kubesonar.core.address import is_literal
from kubesonar.core.dns_check.questions import AskedServer, AskPlan, domain_asks
from kubesonar.doctor.access import require
from kubesonar.doctor.direct import Asker, AskFailed, DirectAsker
from kubesonar.doctor.dns_system import DnsSystem
from kubesonar.doctor.helper_making import HelperWish, make_helper
from kubesonar.doctor.rights import DnsPlace, forward_rules
from kubesonar.doctor.servers import forwardable, upstream_servers
from kubesonar.kube.client import Client
from kubesonar.net.clock import Clock

_RULES = "`kubesonar dns rbac --vantage 1` prints all rules that are needed"

_TRIAL = 4
"""Addresses that are tried to find out whether a standpoint reaches any; more make the choice slow where none does."""

_TRIAL_TIMEOUT = 1.0
"""Most seconds for the answer to a trial, which is asked twice: less fails far standpoints, more delays the choice."""


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """The facts that the choice looks at. `inside` is whether this process is a pod of the cluster, or was told so;
    `client` is None where there is no API server to ask; `timeout` is how long an answer is waited for (s)."""

    system: DnsSystem
    client: Client | None
    inside: bool
    helper: HelperWish
    timeout: float
    clock: Clock
    rng: random.Random


class Standpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A standpoint that was taken: which one and why, and what asks from there. `untested` says what cannot be seen
    from there, whoever asks; `upstreams` are those of the node's resolver, where the standpoint knows it."""

    number: int
    why: str
    asker: Asker
    untested: tuple[str, ...] = ()
    upstreams: tuple[AskedServer, ...] = ()


def servers_from(number: int, system: DnsSystem, inside: bool) -> tuple[AskedServer, ...]:
    """Return the servers that are asked from the standpoint with this number. A cache on the node is asked only from
    `inside` the cluster: outside its link-local address is somebody else's."""
    match number:
        case 1:
            return (*system.servers, *(system.caches if inside else ()), *system.upstreams)
        case 2:
            return (*system.exposed, *system.upstreams)
        case 3:
            return (*system.servers, *system.caches, *system.upstreams)
        case _:
            return forwardable(system.servers)


Take = Callable[[Scene, bool], Awaitable[Standpoint]]
"""Takes a standpoint, whether or not anything answers there where it is `wanted`. Raises AskFailed with the reason
where it cannot be taken."""


async def take_standpoint(scene: Scene, wanted: int = 0) -> Standpoint:
    """Return the standpoint with the number `wanted`, or the first of the table that can be taken. Raises AskFailed
    with the reasons against all, or where there is nothing to ask."""
    if not scene.system.servers and not scene.system.exposed:
        why = "; ".join((*scene.system.unknown, "neither the Service nor a pod of DNS was found"))
        raise AskFailed(f"{why}; {_RULES}" if "would grant it" in why else why)
    refused = list[str]()
    for number, take in STANDPOINTS:
        if wanted in (0, number):
            try:
                return _with(await take(scene, bool(wanted)), refused)
            except AskFailed as failed:
                refused.append(f"{number}: {failed}")
    if not wanted and scene.system.exposed:
        return _with(await _exposed(scene, True), refused)
    raise AskFailed(f"no standpoint to ask from: {'; '.join(refused)}" if refused else f"no standpoint {wanted}")


def _with(taken: Standpoint, refused: Sequence[str]) -> Standpoint:
    if not refused:
        return taken
    return msgspec.structs.replace(taken, why=f"{taken.why}; not {'; not '.join(refused)}")


async def _direct(scene: Scene, wanted: bool) -> Standpoint:
    """Standpoint 1: the Service's addresses and each pod's, directly."""
    system, asker = scene.system, DirectAsker(scene.clock, scene.rng)
    why = "this is a pod of the cluster" if scene.inside else "it was asked for" if wanted else ""
    if not system.servers:
        raise AskFailed("no address of DNS inside the cluster is known")
    if not why:
        answered = await _answering(asker, system.servers, scene.timeout)
        if not answered:
            await asker.close()
            raise AskFailed("no address inside the cluster answers from here")
        why = f"{answered} answers from here"
    return Standpoint(number=1, why=why, asker=asker)


async def _exposed(scene: Scene, wanted: bool) -> Standpoint:
    """Standpoint 2: addresses from outside that lead to the DNS pods."""
    system = scene.system
    if not system.exposed:
        raise AskFailed("no NodePort, load balancer or external IP leads to the DNS pods")
    asker = DirectAsker(scene.clock, scene.rng)
    answered = await _answering(asker, system.exposed, scene.timeout)
    if not answered and not wanted:
        await asker.close()
        raise AskFailed("no exposed address answers from here")
    return Standpoint(
        number=2,
        why=f"{answered} answers from here"
        if answered
        else "nothing else can be asked, and no exposed address answers",
        asker=asker,
        untested=("the DNS pods were not asked one by one, nor the Service's address inside the cluster",),
    )


async def _helper(scene: Scene, wanted: bool) -> Standpoint:
    """Standpoint 3: from a helper pod."""
    del wanted
    client, system = scene.client, scene.system
    if not scene.helper.permitted:
        raise AskFailed("no helper pod is wanted")
    if client is None or not system.servers:
        raise AskFailed("no address of DNS inside the cluster is known")
    helper = await make_helper(client, scene.helper, system.namespace, scene.rng)
    nameservers = (await helper.resolver()).nameservers if system.node_resolver else ()
    return Standpoint(
        number=3,
        why=f"a helper pod may be made in namespace {helper.namespace}",
        asker=helper,
        upstreams=tuple(upstream_servers((address, 53) for address in nameservers if is_literal(address))),
    )


async def _forwarded(scene: Scene, wanted: bool) -> Standpoint:
    """Standpoint 4: by port-forward to each DNS pod."""
    from kubesonar.doctor.forward import ForwardAsker  # a doctor in the cluster has no WebSockets

    client, system = scene.client, scene.system
    if client is None or not forwardable(system.servers):
        raise AskFailed("no DNS pod is known by its name")
    if not wanted:
        await require(client, forward_rules(DnsPlace(dns=system.namespace)))
    return Standpoint(
        number=4,
        why="port-forward to the DNS pods is permitted",
        asker=ForwardAsker(client, system.namespace, scene.clock, scene.rng),
    )


async def _answering(asker: DirectAsker, servers: Sequence[AskedServer], timeout: float) -> str:
    """Return the name of the first of these servers that answers anything, empty where none does."""
    plan = AskPlan(tuple(servers[:_TRIAL]), domain_asks(servers[0].address), min(timeout, _TRIAL_TIMEOUT))
    results = await asker.ask(plan)
    return next((result.server.name for result in results if result.answered), "")


STANDPOINTS: tuple[tuple[int, Take], ...] = ((1, _direct), (2, _exposed), (3, _helper), (4, _forwarded))
"""The standpoints by number, the best first."""
