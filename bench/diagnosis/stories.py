"""Stories of announced change, in which nothing may be found: what operators do to clusters on a usual day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import msgspec

from bench.diagnosis.loss import Steady
from bench.diagnosis.network import Effect
from bench.diagnosis.simulation import OBSERVER, Simulation
from kubesonar.model import Member, Network, State

_LINGER = 300.0
"""Seconds that a member which is no longer listed stands in rosters as deleted."""

_SQUEEZE = 0.7
"""Seconds from one standstill of a throttled agent to the next; its counters are looked at after five."""

Story = Callable[[Simulation, Random, float], None]
"""Arranges a story from that virtual time on."""


def _gone(sim: Simulation, members: Sequence[Member], reason: str) -> None:
    """They are no longer listed, and so no longer behind the Service."""
    left = {member.name for member in members}
    sim.servers.all_agents = [name for name in sim.servers.all_agents if name not in left]
    sim.servers.agents = [name for name in sim.servers.agents if name not in left]
    replace = msgspec.structs.replace
    sim.change(*(replace(member, addresses=(), state=State.DELETED, reason=reason) for member in members))
    sim.publish()


def _on(sim: Simulation, node: str) -> list[Member]:
    return [member for member in sim.members.values() if member.node == node and member.addresses]


def _power(sim: Simulation, node: str, on: bool, effects: list[Effect]) -> None:
    """Switches a node off, or on again with agents that begin anew."""
    if not on:
        sim.network.apply(effects)
        for member in _on(sim, node):
            sim.stop(member.name)
        return
    sim.network.lift(effects)
    for member in _on(sim, node):
        sim.revive(member.name)


def _off(node: str) -> list[Effect]:
    return [Effect((kind, node), Steady(1.0)) for kind in ("node_in", "node_out")]


def _move_dns(sim: Simulation, node: str) -> None:
    """A DNS pod that is drained away is made anew on another node before it ends, as a PodDisruptionBudget has it; on
    one that is not cordoned."""
    leaving = {member.node for member in sim.members.values() if member.state is not State.SERVING}
    staying = [node for node in sim.cluster.nodes if node not in leaving and node not in sim.cluster.dns.values()]
    for name, home in list(sim.cluster.dns.items()):
        if home == node and staying:
            sim.move_dns(name, sim.rng.choice(staying))


def _leave(sim: Simulation, node: str, start: float, warning: float) -> None:
    """Cordoned and drained, then shut down in order, then no longer listed."""
    sim.at(start, lambda: sim.restate(node, State.CORDONED, f"node {node} is cordoned"))
    sim.at(start + 5.0, lambda: sim.restate(node, State.DRAINING, f"node {node} is being drained"))
    sim.at(start + 5.0, lambda: _move_dns(sim, node))
    sim.at(start + warning, lambda: _power(sim, node, False, _off(node)))
    sim.at(start + warning + 20.0, lambda: _gone(sim, _on(sim, node), f"node {node} is gone"))


def drain(sim: Simulation, rng: Random, start: float) -> None:
    """One node leaves for good."""
    _leave(sim, rng.choice(sim.cluster.nodes), start, 30.0)


def scale_down(sim: Simulation, rng: Random, start: float) -> None:
    """Half of the nodes leave within a minute."""
    nodes = rng.sample(sim.cluster.nodes, len(sim.cluster.nodes) // 2)
    for node in nodes:
        _leave(sim, node, start + rng.uniform(0.0, 30.0), 30.0)


def zone_upgrade(sim: Simulation, rng: Random, start: float) -> None:
    """The nodes of a zone are rebooted two at a time."""
    zone = rng.choice(sim.cluster.zones)
    nodes = [node for node in sim.cluster.nodes if sim.cluster.zone_of[node] == zone][:6]
    for index, node in enumerate(nodes):
        _reboot(sim, node, start + 40.0 * (index // 2))


def _reboot(sim: Simulation, node: str, start: float) -> None:
    effects = _off(node)
    sim.at(start, lambda: sim.restate(node, State.CORDONED, f"node {node} is cordoned"))
    sim.at(start + 2.0, lambda: sim.restate(node, State.DRAINING, f"node {node} is being drained"))
    sim.at(start + 2.0, lambda: _move_dns(sim, node))
    sim.at(start + 20.0, lambda: _power(sim, node, False, effects))
    sim.at(start + 50.0, lambda: _power(sim, node, True, effects))
    sim.at(start + 55.0, lambda: sim.restate(node, State.CORDONED, f"node {node} is cordoned"))
    sim.at(start + 60.0, lambda: sim.restate(node, State.SERVING, ""))


def reboot(sim: Simulation, rng: Random, start: float) -> None:
    """One node is rebooted, announced."""
    _reboot(sim, rng.choice(sim.cluster.nodes), start)


def rollout(sim: Simulation, rng: Random, start: float) -> None:
    """Our own DaemonSets are rolled, a tenth of the pods at a time, each under a new name."""
    members = sorted(sim.members.values(), key=lambda member: member.name)
    wave = max(1, len(members) // 10)
    for index, member in enumerate(members):
        _replace(sim, member, start + 15.0 * (index // wave))


def upgrade(sim: Simulation, rng: Random, start: float) -> None:
    """Our own DaemonSets are rolled from the version before to this one, which remembers and sends more."""
    for agent in sim.agents.values():
        agent.older = True
    rollout(sim, rng, start)


def _replace(sim: Simulation, member: Member, start: float) -> None:
    """A pod is deleted, ends after its grace, and its successor begins, is ready and serves."""
    replace = msgspec.structs.replace
    rolling = replace(member, state=State.ROLLING, reason="its DaemonSet replaces it")
    host = member.network is Network.HOST
    addresses = member.addresses if host else tuple(_moved(address) for address in member.addresses)
    reason = "its pod has not been ready yet"
    name = f"{member.name}-next"
    successor = replace(member, name=name, addresses=addresses, state=State.STARTING, reason=reason)

    def announce() -> None:
        sim.change(rolling)
        sim.publish()
        sim.servers.agents = [name for name in sim.servers.agents if name != member.name]

    def end() -> None:
        sim.stop(member.name, absent=not host)

    def begin() -> None:
        sim.change(successor)
        sim.start(successor.name)
        if host:
            sim.inherit(member.name, successor.name)
        sim.hand_all(successor.name)
        _gone(sim, [rolling], "its DaemonSet replaces it")

    def ready() -> None:
        sim.change(replace(successor, state=State.SERVING, reason=""))
        sim.publish()
        if not host:
            sim.servers.all_agents = [*sim.servers.all_agents, successor.name]
            sim.servers.agents = [*sim.servers.agents, successor.name]

    sim.at(start, announce)
    sim.at(start + 5.0, end)
    sim.at(start + 7.0, begin)
    sim.at(start + 12.0, ready)


def _moved(address: str) -> str:
    """Another address of the same family."""
    return f"{address}5" if ":" in address else address.replace("10.244.", "10.245.")


def throttling(sim: Simulation, rng: Random, start: float) -> None:
    """A fifth of the agents stand still for most of each CPU period, and say so."""
    names = rng.sample(sorted(sim.agents), max(1, len(sim.agents) // 5))

    def squeeze(name: str, left: int) -> None:
        agent = sim.agents[name]
        sim.freeze(name, sim.now + rng.uniform(0.05, 0.6))
        if left % 5 == 0:
            agent.throttle(sim.now, 5 * _SQUEEZE, rng.uniform(0.4, 0.9))
        if left:
            sim.at(sim.now + _SQUEEZE, lambda: squeeze(name, left - 1))

    for name in names:
        sim.at(start + rng.uniform(0.0, 1.0), lambda name=name: squeeze(name, 120))  # type: ignore[misc]


def key_rotation(sim: Simulation, rng: Random, start: float) -> None:
    """A key is replaced without both being known for a while: for half a minute two halves of the mesh do not
    understand each other, and say so."""
    names = set(rng.sample(sorted(sim.agents), len(sim.agents) // 2))
    sim.at(start, lambda: sim.strangers(names))
    sim.at(start + 30.0, lambda: sim.strangers(set()))


def observer_cut(sim: Simulation, rng: Random, start: float) -> None:
    """Whoever reads the agents loses the way to most nodes: the cluster has no fault."""
    nodes = rng.sample(sim.cluster.nodes, max(1, 9 * len(sim.cluster.nodes) // 10))
    effects = [Effect(("pair", OBSERVER.name, node), Steady(1.0)) for node in nodes]
    sim.at(start, lambda: sim.network.apply(effects))
    sim.at(start + 90.0, lambda: sim.network.lift(effects))


STORIES: dict[str, Story] = {
    "drain": drain,
    "scale_down": scale_down,
    "zone_upgrade": zone_upgrade,
    "reboot": reboot,
    "rollout": rollout,
    "upgrade": upgrade,
    "throttling": throttling,
    "key_rotation": key_rotation,
    "observer_cut": observer_cut,
}
"""All stories by name."""

LENGTH = 150.0
"""Seconds that a story is watched."""
