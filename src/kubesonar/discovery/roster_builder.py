"""Builds rosters of copies of pods and nodes, with what is out of date and what is missing said in them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from hashlib import sha256

from kubesonar.core.encoding import encode_json
from kubesonar.discovery.options import RosterOptions
from kubesonar.discovery.pods.history import History
from kubesonar.discovery.pods.members import PodMembers, members_of_pods
from kubesonar.discovery.poller import ResourceCopy
from kubesonar.discovery.tombstones import Tombstones
from kubesonar.model import Member, Roster, clip
from kubesonar.net.clock import Clock
from kubesonar.runtime.logs import Changes

_LOG = logging.getLogger("kubesonar.discovery")


def revision(members: Iterable[Member]) -> str:
    """Return a digest that is the same for equal members, whoever lists them."""
    return sha256(encode_json(list(members))).hexdigest()[:16]


class RosterBuilder:
    """Builds rosters of pods and nodes. `port` is that of pods without the label for it."""

    def __init__(self, options: RosterOptions, port: int, clock: Clock) -> None:
        self._starting = options.kubernetes.starting
        self._port = port
        self._clock = clock
        self._tombstones = Tombstones(options.linger)
        self._members: tuple[Member, ...] = ()
        self._history = History()
        self._odd: frozenset[str] = frozenset()
        self._changes = Changes(_LOG)

    def roster(self, pods: ResourceCopy, nodes: ResourceCopy, slow: str) -> tuple[Roster | None, float | None]:
        """Return the roster, None while it is too early for one, and the seconds after which time alone may change it.

        `slow` says why changes are seen late in this cluster; empty where they are not.
        """
        if not (pods.synced or pods.trouble) or (pods.synced and not (nodes.synced or nodes.trouble)):
            return None, None
        wait = self._update(pods, nodes) if pods.synced else None
        may_list_nodes = not nodes.forbidden.startswith("list")
        return Roster(
            revision=revision(self._members) if pods.synced else "",
            members=self._members,
            stale=clip(pods.trouble or (nodes.trouble if may_list_nodes else "")),
            lacks=clip(_lacks(pods, nodes, slow)),
        ), wait

    def _update(self, pods: ResourceCopy, nodes: ResourceCopy) -> float | None:
        wall, mono = self._clock.wall(), self._clock.mono()
        known = nodes.items if nodes.synced else None
        self._history.update(pods.items.values(), known, current=not nodes.trouble)
        placed = members_of_pods(
            pods.items.values(),
            known,
            wall,
            starting=self._starting,
            port=self._port,
            history=self._history,
        )
        self._note(placed)
        self._members = self._tombstones.step(mono, placed.members, placed.over)
        waits = [placed.due - wall] if placed.due is not None else []
        waits += [self._tombstones.due - mono] if self._tombstones.due is not None else []
        return max(0.0, min(waits)) if waits else None

    def _note(self, placed: PodMembers) -> None:
        """Log, once for each reason, which pods cannot be members."""
        for name in self._odd - placed.odd.keys():
            self._changes.note(f"pod {name}", "")
        for name, fault in placed.odd.items():
            self._changes.note(f"pod {name}", f"left out of the roster: {fault}")
        self._odd = frozenset(placed.odd)


def _lacks(pods: ResourceCopy, nodes: ResourceCopy, slow: str) -> str:
    losses = []
    if nodes.forbidden.startswith("list"):
        losses.append(f"zones and states of nodes are unknown: may not {nodes.forbidden}")
    for copy in (pods, nodes):
        if copy.forbidden.startswith("watch"):
            losses.append(f"changes are seen late: may not {copy.forbidden}")
    return "; ".join([*losses, slow] if slow else losses)
