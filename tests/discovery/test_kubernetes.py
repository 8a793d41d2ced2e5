"""Rosters from a real list and watch over HTTPS."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kubesonar.discovery.kubernetes import poll_period
from kubesonar.discovery.urgency import Urgency
from kubesonar.model import Network, State
from tests.discovery.following import following, options
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import run
from tests.waiting import until

SERVING = State.SERVING


def cluster(api: ApiServer, count: int = 3) -> None:
    """Nodes node-0 …, each with a pod agent-0 …"""
    api.populate(count)


def change(api: ApiServer, resource: str, name: str, **parts: Any) -> None:
    """Merges into parts of an object."""
    tree = api.get(resource, name)
    for part, more in parts.items():
        tree.setdefault(part, {}).update(more)
    api.put(resource, tree)


def agents(count: int, **states: State) -> dict[str, State]:
    return {f"agent-{n}": SERVING for n in range(count)} | {name.replace("_", "-"): s for name, s in states.items()}


def unready(status: str = "Unknown") -> list[dict[str, str]]:
    return [
        {"type": "Ready", "status": status, "reason": "NodeStatusUnknown", "lastTransitionTime": "2026-11-21T07:30:00Z"}
    ]


def test_pods_are_members_of_both_families_with_node_zone_and_port(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with following(api, tmp_path) as rosters:
            await rosters.become(agents(3))
            member = rosters.named("agent-1")
            assert (member.node, member.zone, member.port, member.epoch) == ("node-1", "zone-1", 7473, 0)
            assert member.addresses == ("10.0.0.1", "fd00::2")
            assert (rosters.last.stale, rosters.last.lacks) == ("", "")
            assert len(rosters) == 1

    with ApiServer() as api:
        cluster(api)
        api.put("pods", shapes.pod("another", labels={"kubesonar.io/port": "x"}))
        other = shapes.pod("an-older-tool")
        del other["metadata"]["labels"]["kubesonar.io/port"]
        api.put("pods", other)
        run(scenario(api))


def test_equal_members_have_equal_revisions_whoever_lists_them(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with following(api, tmp_path) as one, following(api, tmp_path) as other:
            await one.become(agents(3))
            await other.become(agents(3))
            assert one.last.revision == other.last.revision != ""
            api.delete("pods", "agent-2")
            await until(lambda: len(one) == len(other) == 2)
            assert one.last.revision == other.last.revision != one[0].revision

    with ApiServer() as api:
        cluster(api)
        run(scenario(api))


def test_a_node_is_cordoned_drained_lost_and_deleted(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with following(api, tmp_path, options(linger=60)) as rosters:
            await rosters.become(agents(3))
            change(api, "nodes", "node-1", spec={"unschedulable": True})
            await rosters.become(agents(3, agent_1=State.CORDONED))
            assert rosters.named("agent-1").reason == "node node-1 is cordoned"
            assert rosters.named("agent-1").addresses
            taints = [{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule", "value": "1"}]
            change(api, "nodes", "node-1", spec={"taints": taints})
            await rosters.become(agents(3, agent_1=State.DRAINING))
            change(
                api, "nodes", "node-1", spec={"unschedulable": False, "taints": []}, status={"conditions": unready()}
            )
            await rosters.become(agents(3, agent_1=State.NOT_READY))
            assert (rosters.named("agent-1").reason, rosters.named("agent-1").expected) == ("", True)
            api.delete("nodes", "node-1")
            await rosters.become(agents(3, agent_1=State.DELETED))
            assert rosters.named("agent-1").reason == "node node-1 is gone"
            api.put("nodes", shapes.node("node-1", zone="z"))
            await rosters.become(agents(3))

    with ApiServer() as api:
        cluster(api)
        run(scenario(api))


def test_a_rolling_update_is_no_failure_and_what_is_gone_lingers_as_deleted(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with following(api, tmp_path, options(linger=60)) as rosters:
            await rosters.become(agents(3))
            change(api, "pods", "agent-1", metadata={"deletionTimestamp": "2026-11-21T09:00:00Z"})
            await rosters.become(agents(3, agent_1=State.ROLLING))
            api.delete("pods", "agent-1")
            new = shapes.pod("agent-x", node="node-1", ips=("10.0.0.99",), ready=False, phase="Pending")
            new["metadata"]["creationTimestamp"] = _just_now()
            api.put("pods", new)
            await rosters.become(agents(3, agent_1=State.DELETED, agent_x=State.STARTING))
            gone = rosters.named("agent-1")
            assert (gone.addresses, gone.reason) == ((), "its DaemonSet replaces it")
            api.put("pods", shapes.pod("agent-x", node="node-1", ips=("10.0.0.99",)))
            await rosters.become(agents(3, agent_1=State.DELETED, agent_x=SERVING))

    with ApiServer() as api:
        cluster(api)
        run(scenario(api))


def test_starting_ends_by_itself(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with following(api, tmp_path, options(starting=1.5)) as rosters:
            await rosters.become({"slow": State.STARTING})
            await rosters.become({"slow": SERVING})
            assert "is not ready" in rosters.named("slow").reason

    with ApiServer() as api:
        api.put("nodes", shapes.node("node-1"))
        slow = shapes.pod("slow", ready=False)
        slow["metadata"]["creationTimestamp"] = _just_now()
        api.put("pods", slow)
        run(scenario(api))


def test_an_outage_leaves_the_roster_in_force_and_stale_until_it_is_over(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with following(api, tmp_path) as rosters:
            await rosters.become(agents(3))
            await asyncio.to_thread(api.stop)
            await until(lambda: rosters.last.stale)
            assert rosters.last.members == rosters[0].members
            assert rosters.last.revision == rosters[0].revision
            api.delete("pods", "agent-2")
            await asyncio.to_thread(api.start)
            await rosters.become(agents(3, agent_2=State.DELETED))
            await rosters.become(agents(2))

    with ApiServer() as api:
        cluster(api)
        run(scenario(api))


def test_an_api_server_that_is_away_at_the_start_gives_an_empty_stale_roster_and_then_members(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        api.fail(503, times=8)
        async with following(api, tmp_path) as rosters:
            await until(lambda: rosters)
            assert (rosters[0].members, rosters[0].revision) == ((), "")
            assert "503" in rosters[0].stale
            await rosters.become(agents(3))

    with ApiServer() as api:
        cluster(api)
        run(scenario(api))


def test_a_list_of_nodes_that_is_out_of_date_takes_no_node_for_gone_that_it_never_knew(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with following(api, tmp_path) as rosters:
            await rosters.become(agents(3))
            api.delete("nodes", "node-0")
            await rosters.become(agents(3, agent_0=State.DELETED))
            api.fail(500, times=10_000, resource="nodes")
            api.tear()
            await until(lambda: rosters.last.stale)
            api.put("pods", shapes.pod("agent-new", node="node-new", ips=("10.0.7.7",)))
            await until(lambda: "agent-new" in rosters.states)
            assert rosters.states == agents(3, agent_0=State.DELETED, agent_new=SERVING)
            assert rosters.last.stale.startswith("nodes: 500")

    with ApiServer() as api:
        cluster(api)
        run(scenario(api))


def test_a_history_that_was_compacted_loses_nothing(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with following(api, tmp_path) as rosters:
            await rosters.become(agents(3))
            api.forget()
            api.expire()
            api.delete("pods", "agent-0")
            await until(lambda: rosters.states == {"agent-1": SERVING, "agent-2": SERVING})
            assert not any(roster.stale for roster in rosters)

    with ApiServer() as api:
        cluster(api)
        run(scenario(api))


def test_without_the_right_to_nodes_zones_and_their_states_are_lost_and_nothing_else(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with following(api, tmp_path) as rosters:
            await rosters.become(agents(3))
            assert {member.zone for member in rosters.last.members} == {""}
            assert rosters.last.lacks == "zones and states of nodes are unknown: may not list nodes"
            assert len(rosters) == 1
            api.allow("*", "nodes")
            await until(lambda: rosters.last.lacks == "")
            assert {member.zone for member in rosters.last.members} == {"zone-0", "zone-1", "zone-2"}

    with ApiServer() as api:
        cluster(api)
        api.refuse("*", "nodes")
        run(scenario(api))


@pytest.mark.parametrize(("resource", "words"), [("pods", "pods in namespace default"), ("nodes", "nodes")])
def test_without_the_right_to_watch_changes_are_seen_late_but_seen(tmp_path: Path, resource: str, words: str) -> None:
    async def scenario(api: ApiServer) -> None:
        async with following(api, tmp_path) as rosters:
            await rosters.become(agents(3))
            await until(lambda: rosters.last.lacks == f"changes are seen late: may not watch {words}")
            change(api, "nodes", "node-0", spec={"unschedulable": True})
            api.delete("pods", "agent-1")
            await until(lambda: rosters.states.get("agent-0") is State.CORDONED and "agent-1" not in rosters.states)
            assert not any(roster.stale for roster in rosters)

    with ApiServer() as api:
        cluster(api)
        api.refuse("watch", resource)
        run(scenario(api))


def test_without_the_right_to_pods_there_is_no_roster_and_it_is_said(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with following(api, tmp_path) as rosters:
            await until(lambda: rosters)
            assert rosters.last.members == ()
            assert "403 Forbidden" in rosters.last.stale
            api.allow("*", "pods")
            await rosters.become(agents(3))

    with ApiServer() as api:
        cluster(api)
        api.refuse("*", "pods")
        run(scenario(api))


def test_a_burst_of_changes_makes_few_rosters(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with following(api, tmp_path, options(settle=0.5)) as rosters:
            await rosters.become(agents(3))
            for number in range(3, 60):
                api.put("pods", shapes.pod(f"agent-{number}", node="node-0", ips=(f"10.1.0.{number}",)))
                await asyncio.sleep(0.002)
            await rosters.become(agents(60))
            assert len(rosters) <= 5

    with ApiServer() as api:
        cluster(api)
        run(scenario(api))


def test_above_the_limit_members_are_listed_and_not_watched_and_it_is_said_what_to_do(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        urgency = Urgency()
        async with following(api, tmp_path, options(direct_limit=3), urgency=urgency) as rosters:
            await rosters.become(agents(3))
            api.put("pods", shapes.pod("agent-3", node="node-0", ips=("10.0.9.9",)))
            await rosters.become(agents(4))
            assert rosters.last.lacks.startswith("changes are seen only every 5 min: too many members")
            assert "roster.dns.name" in rosters.last.lacks
            watches = len(api.asked("watch"))
            api.tear()
            api.put("pods", shapes.pod("agent-4", node="node-0", ips=("10.0.9.8",)))
            urgency.set(True)
            await rosters.become(agents(5))
            assert len(api.asked("watch")) == watches

    with ApiServer() as api:
        cluster(api)
        run(scenario(api))


def test_above_the_limit_the_coordinator_lists_at_once(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        urgency = Urgency()
        async with following(api, tmp_path, options(direct_limit=2), urgency=urgency) as rosters:
            await rosters.become(agents(3))
            await until(lambda: "too many members" in rosters.last.lacks)
            api.put("pods", shapes.pod("agent-3", node="node-0", ips=("10.0.9.9",)))
            urgency.set(True)
            await rosters.become(agents(4))

    with ApiServer() as api:
        cluster(api)
        run(scenario(api))


@pytest.mark.parametrize(("count", "seconds"), [(101, 300), (500, 300), (1000, 500), (3000, 4500)])
def test_all_agents_together_list_a_bounded_number_of_objects_a_second(count: int, seconds: float) -> None:
    assert poll_period(count) == seconds
    assert count * count / poll_period(count) <= 2000


def test_the_host_network(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with following(api, tmp_path) as rosters:
            await rosters.become({"agent-host": SERVING})
            member = rosters.named("agent-host")
            assert (member.network, member.node) == (Network.HOST, "node-1")
            assert member.addresses == ("192.0.2.1", "2001:db8::1")

    with ApiServer() as api:
        api.put("nodes", shapes.node("node-1"))
        pod = shapes.pod("agent-host", host_network=True, ips=("192.0.2.1",))
        pod["status"]["hostIPs"] = [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}]
        api.put("pods", pod)
        run(scenario(api))


def test_pods_that_cannot_be_members_are_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(api: ApiServer) -> None:
        async with following(api, tmp_path) as rosters:
            await rosters.become(agents(1))
            change(api, "nodes", "node-0", spec={"unschedulable": True})
            await rosters.become(agents(1, agent_0=State.CORDONED))
            odd["metadata"]["labels"]["kubesonar.io/port"] = "7474"
            api.put("pods", odd)
            await until(lambda: "odd" in rosters.states)

    with ApiServer() as api:
        cluster(api, 1)
        odd = shapes.pod("odd", node="node-0", ips=("10.0.0.77",), labels={"kubesonar.io/port": "http"})
        api.put("pods", odd)
        run(scenario(api))
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [line.partition(": ")[2][:10] for line in warnings if "pod odd" in line] == ["left out o"]


def _just_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
