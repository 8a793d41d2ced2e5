"""Agents that know each other by addresses only, from a real DNS server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kubesonar.core.telemetry.labels import relabelled
from kubesonar.model import Edge
from tests.apps.agents import FAST, RunningAgent, until
from tests.discovery.nameserver import NAME, needs_unbound, resolving, serving
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.ports import free_port


def agent(folder: Path, address: str, port: int, node: str = "", **roster: Any) -> RunningAgent:
    """As on a node: every agent on the same port of its own address; the test asks it on one of its own."""
    asked = free_port()
    tree: dict[str, Any] = {
        "member": {
            "name": f"agent-at-{address}",
            "node": node,
            "addresses": address,
            "port": port,
            "bind": [address],
        },
        "roster": {"source": "dns", "dns": {"name": NAME, "poll": 0.2}, **roster},
        "plan": {"families": [4], **FAST},
        "api": {"listen": [{"address": f"127.0.0.1:{asked}"}]},
        "shutdown": {"grace": 0.2},
    }
    running = RunningAgent(folder, address, **tree)
    running.host, running.port = "127.0.0.1", asked
    return running


@needs_unbound
def test_an_agent_goes_by_its_address_and_both_ends_of_a_train_are_joined() -> None:
    def body(folder: Path) -> None:
        port = free_port()
        one, two = "127.0.0.11", "127.0.0.12"
        with serving(folder, [one, two]), agent(folder, one, port) as first, agent(folder, two, port) as second:
            until(lambda: first.snapshot().member.name == one and second.snapshot().member.name == two)
            until(lambda: {edge.latest.check.target for edge in first.snapshot().edges} >= {two})
            recorded = until(
                lambda: [
                    edge
                    for edge in second.snapshot().edges
                    if edge.latest.side == "responder" and edge.latest.check.target == one
                ]
            )
            assert recorded[0].latest.source == two
            assert b'kubesonar_roster_age_seconds{source="dns"} 0' in first.get("/metrics")[1]
            assert b"members come from DNS" in first.get("/readyz")[1]

    resolving(body)


@needs_unbound
def test_an_agent_that_kubernetes_names_and_those_that_go_by_dns_know_each_other() -> None:
    def body(folder: Path) -> None:
        port = free_port()
        one, two, newcomer = addresses = ("127.0.0.11", "127.0.0.12", "127.0.0.13")
        with serving(folder, addresses), ApiServer() as api:
            for number, address in enumerate(addresses):
                api.put("nodes", shapes.node(f"node-{number}"))
                labels = {"kubesonar.io/port": str(port)}
                api.put("pods", shapes.pod(f"pod-{number}", node=f"node-{number}", ips=(address,), labels=labels))
            known = {"source": "kubernetes", "kubernetes": {"kubeconfig": api.kubeconfig(folder / "kubeconfig")}}
            with (
                agent(folder, one, port, "node-0") as first,
                agent(folder, two, port, "node-1") as second,
                agent(folder, newcomer, port, "node-2", **known) as third,
            ):
                until(lambda: third.snapshot().member.name == "pod-2")
                pods = {"pod-0": one, "pod-1": two, "pod-2": newcomer}
                until(lambda: first.snapshot().coordinator in pods.values())
                until(lambda: pods.get(third.snapshot().coordinator) == first.snapshot().coordinator)

                def recorded(agent: RunningAgent, target: str) -> list[Edge]:
                    edges = [edge for edge in agent.snapshot().edges if edge.latest.side == "responder"]
                    return [edge for edge in edges if edge.latest.check.target == target]

                until(lambda: recorded(first, newcomer))
                until(lambda: recorded(third, "pod-0"))

                shown = relabelled([each.snapshot() for each in (first, second, third)])
                assert {snapshot.member.name for snapshot in shown} == pods.keys()
                for snapshot in shown:
                    assert {member.name for member in snapshot.roster.members} == pods.keys()
                    assert {member.node for member in snapshot.roster.members} == {"node-0", "node-1", "node-2"}
                    targets = {edge.latest.check.target for edge in snapshot.edges}
                    assert targets & set(addresses) == set() and targets >= pods.keys() - {snapshot.member.name}
            for each in (first, second, third):
                assert "restarting" not in each.log.read_text()
                assert " is dead" not in each.log.read_text() and " is frozen" not in each.log.read_text()

    resolving(body)
