"""The virtual network: which components a packet crosses from one place to another, and what they do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import NamedTuple

from bench.diagnosis.cluster import Cluster, Place
from bench.diagnosis.loss import Bursts, Loss
from kubesonar.model import Network

Component = tuple[str, ...]
"""A kind and whose it is: ("node_in", "node-3"), ("zone", "a", "b"), ("pair", "node-1", "node-2")."""

BIG = 1400
"""Bytes of IP from which on a packet is of full size."""

_PARTLY = ("pair_pod",)
"""Components that are aspects of others and lose nothing by themselves."""

_NEAR, _FAR = 0.0003, 0.0012
"""Round trips (s) within a zone and between zones, before jitter."""


class Flow(NamedTuple):
    """What a component may tell packets apart by: transport, the server's port, bytes of the IP packet, family, whether
    it goes through a Service's address, and whether it comes from the server."""

    proto: str
    port: int = 0
    size: int = 100
    family: int = 4
    service: bool = False
    reply: bool = False


class Effect(NamedTuple):
    """What one component does to the packets that `hits` picks: loses some, delays all by `delay` seconds."""

    component: Component
    loss: Loss | None = None
    delay: float = 0.0
    hits: Callable[[Flow], bool] = lambda flow: True


class Way:
    """One direction of one flow between two places."""

    __slots__ = ("_clean", "_effects", "_rng", "delay", "latency")

    def __init__(self, clean: float, effects: Iterable[Effect], latency: float, rng: Random) -> None:
        found = list(effects)
        self._clean = clean
        self._effects = [effect.loss for effect in found if effect.loss is not None]
        self._rng = rng
        self.latency = latency + sum(effect.delay for effect in found)
        """Seconds one way, before jitter."""

    def loss(self, now: float) -> float:
        """The chance that a packet is lost."""
        keep = self._clean
        for loss in self._effects:
            keep *= 1.0 - loss.at(now)
        return 1.0 - keep

    def passes(self, now: float) -> bool:
        """Whether one packet gets through."""
        share = self.loss(now)
        return share <= 0.0 or self._rng.random() >= share

    def arrivals(self, now: float, count: int) -> list[int]:
        """Which of `count` packets, sent back to back, get through."""
        share = self.loss(now)
        if share <= 0.0:
            return list(range(count))
        if share >= 1.0:
            return []
        dice = self._rng.random
        return [index for index in range(count) if dice() >= share]


class VirtualNetwork:
    """Components with what is the matter with them now. Change `effects` only by `apply` and `lift`."""

    def __init__(self, cluster: Cluster, rng: Random) -> None:
        self._cluster = cluster
        self._rng = rng
        self._effects: dict[Component, list[Effect]] = {}
        self._ways: dict[tuple[str, str, Flow], Way] = {}
        self._bursts: dict[Component, Effect] = {}

    def apply(self, effects: Iterable[Effect]) -> None:
        """From now on."""
        for effect in effects:
            self._effects.setdefault(effect.component, []).append(effect)
        self._ways.clear()

    def lift(self, effects: Iterable[Effect]) -> None:
        """No longer."""
        for effect in effects:
            self._effects[effect.component].remove(effect)
        self._ways.clear()

    def way(self, start: Place, end: Place, flow: Flow) -> Way:
        """That direction, with all that is in force now; not to be kept over a change."""
        key = (start.name, end.name, flow)
        way = self._ways.get(key)
        if way is None:
            way = self._ways[key] = self._make(start, end, flow)
        return way

    def _make(self, start: Place, end: Place, flow: Flow) -> Way:
        components = crossed(start, end, flow)
        lossy = [component for component in components if component[0] not in _PARTLY]
        effects = [
            effect for component in components for effect in self._effects.get(component, ()) if effect.hits(flow)
        ]
        if self._cluster.shape.bursts:
            effects += [self._burst(component) for component in lossy]
        clean = (1.0 - self._cluster.shape.background) ** len(lossy)
        far = start.zone and end.zone and start.zone != end.zone
        return Way(clean, effects, (_FAR if far else _NEAR) / 2, self._rng)

    def _burst(self, component: Component) -> Effect:
        effect = self._bursts.get(component)
        if effect is None:
            effect = self._bursts[component] = Effect(component, Bursts(598.0, 2.0, 0.5, self._rng))
        return effect


def crossed(start: Place, end: Place, flow: Flow) -> list[Component]:
    """The components from one place to the other, in their order. Within a node only pod networks are crossed."""
    found: list[Component] = []
    away = start.node != end.node or not start.node
    if flow.service and start.node:
        found.append(("proxy", start.node))
    if start.network is Network.POD:
        found.append(("pod_out", start.node))
    if away:
        if start.node:
            found.append(("node_out", start.node))
        if start.zone and end.zone and start.zone != end.zone:
            found.append(("zone", start.zone, end.zone))
        ends = (start.node or start.name, end.node or end.name)
        found.append(("pair", *ends))
        if start.network is end.network is Network.POD:
            found.append(("pair_pod", *ends))
        if end.node:
            found.append(("node_in", end.node))
    if end.network is Network.POD:
        found.append(("pod_in", end.node))
    return found
