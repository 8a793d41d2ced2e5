"""A node's link is cut and Kubernetes calls it NotReady: from the API's objects, through rosters, to the verdict.

In virtual time; the objects change as those of a real API server do (node-monitor-grace-period 8 s).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from kubesonar.core.diagnosis.verdict import judge
from kubesonar.discovery.options import RosterOptions
from kubesonar.discovery.roster_builder import RosterBuilder
from kubesonar.kube.types import Node, Pod
from kubesonar.model import Health, Roster, State, Verdict
from tests.core.mesh import START, Mesh
from tests.discovery.copies import Clock, Copy
from tests.discovery.objects import node, pod

CUT, UNREADY, BACK, READY, END = 20.0, 28.0, 110.0, 115.0, 200.0
SILENT = {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
WELL = {"status": "True", "reason": "KubeletReady"}
POD_READY = 12.0
"""Seconds after its node's return until a pod is Ready again."""


def clock(at: float) -> str:
    return f"{at - START:.0f}"


def time(after: float) -> str:
    """A time as the API writes it."""
    return datetime.fromtimestamp(START + after, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Cluster:
    """Three nodes with agents in both networks, 100 s old. node-3 is cut from `CUT` to `BACK`."""

    def __init__(self) -> None:
        self.mesh = Mesh(nodes=3, seed=1).cut("node-3", CUT, BACK).run(END)
        self.clock = Clock()
        self.builder = RosterBuilder(RosterOptions(), 0, self.clock)
        self.nodes = [f"node-{n}" for n in (1, 2, 3)]

    def _node(self, name: str, now: float) -> Node:
        ready, since = WELL, -100.0
        if name == "node-3" and now >= UNREADY:
            ready, since = (SILENT, UNREADY) if now < READY else (WELL, READY)
        conditions = [{"type": "Ready", "lastTransitionTime": time(since), **ready}]
        return node(name, meta={"creationTimestamp": time(-1000)}, status={"conditions": conditions})

    def _pod(self, name: str, node_name: str, host: bool, now: float) -> Pod:
        unready = node_name == "node-3" and UNREADY <= now < READY + POD_READY
        rows = [
            {"type": "Initialized", "status": "True", "lastTransitionTime": time(-99)},
            {"type": "ContainersReady", "status": "True", "lastTransitionTime": time(-95)},
            {
                "type": "Ready",
                "status": str(not unready),
                "lastTransitionTime": time(UNREADY if unready else -95),
            },
        ]
        meta = {"creationTimestamp": time(-100)}
        spec = {"hostNetwork": host}
        ip = f"10.0.0.{node_name[-1]}"
        return pod(name, node_name, (ip,), meta=meta, spec=spec, status={"conditions": rows})

    def roster(self, now: float) -> Roster:
        """The roster by the objects of that time; asked for in order."""
        self.clock.now = START + now
        pods = [
            self._pod(f"{name}-{network}", name, network == "host", now)
            for name in ("node-1", "node-2", "node-3")
            for network in ("pod", "host")
        ]
        found, _ = self.builder.roster(
            Copy({one.metadata.name: one for one in pods}),
            Copy({name: self._node(name, now) for name in self.nodes}),
            "",
        )
        assert found is not None
        return found

    def verdict(self, now: float) -> Verdict:
        """What check says: it cannot read the agents of a node that is cut off."""
        roster = self.roster(now)
        snapshots, unread, at = self.mesh.snapshots(now)
        if CUT <= now < BACK:
            unread |= {member.name: "no answer within 2 s" for member in self.mesh.members if member.node == "node-3"}
        told = [msgspec.structs.replace(snapshot, roster=roster) for snapshot in snapshots]
        return judge(told, unread, at, clock)


def test_a_cut_node_is_named_until_it_is_back_and_kubernetes_is_quoted() -> None:
    cluster = Cluster()
    assert cluster.verdict(CUT - 1).sentence.startswith("the network is healthy: 3 nodes, 6 agents")
    for now in range(int(CUT) + 12, int(BACK), 6):
        found = cluster.verdict(now)
        assert found.verdict is Health.BAD
        assert found.sentence.startswith("node-3 is down or cut off since ")
        assert "; Kubernetes calls it NotReady since 28" in found.sentence
        assert found.states == ()


def test_after_its_return_nobody_starts_and_all_is_well() -> None:
    cluster = Cluster()
    for now in range(int(READY) + 30):
        states: dict[str, Any] = {member.name: member.state for member in cluster.roster(now).members}
        assert set(states.values()) <= {State.SERVING, State.NOT_READY}
    found = cluster.verdict(END - 1)
    assert (found.verdict, found.states, found.unknown) == (Health.GOOD, (), ())


def test_when_the_node_object_goes_its_agents_have_left() -> None:
    cluster = Cluster()
    assert cluster.verdict(60).verdict is Health.BAD
    cluster.nodes.remove("node-3")
    found = cluster.verdict(61)
    assert (found.verdict, found.left) == (Health.GOOD, frozenset({"node-3", "node-3-host", "node-3-pod"}))
    assert found.states == tuple(f"node-3-{network} deleted: node node-3 is gone" for network in ("host", "pod"))
