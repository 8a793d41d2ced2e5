"""Agents that find each other through the API server: processes on loopback, the API double over HTTPS."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from kubesonar.model import Network
from tests.apps.agents import RunningAgent, enter_all, until
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.ports import free_port

NAMES = ("a", "b", "c", "d")
PATIENCE = 90.0
"""Seconds: four agents and a busy machine."""

SPARING = {kind: {"period": period, "timeout": 2.0} for kind, period in {"udp": 0.5, "mtu": 30.0}.items()} | {
    kind: {"period": 1.0, "timeout": 2.0} for kind in ("tcp", "http", "icmp")
}


def ip_of(name: str) -> str:
    return f"127.0.0.{NAMES.index(name) + 11}"


def tree(api: ApiServer, folder: Path, letter: str, port: int, **member: Any) -> dict[str, Any]:
    """An agent as the chart starts it, but for the kubeconfig and for 127.0.0.1, where the test asks it."""
    return {
        "member": {
            "name": f"agent-{letter}",
            "node": f"node-{letter}",
            "addresses": ip_of(letter),
            "port": port,
            "bind": [ip_of(letter), "127.0.0.1"],
            **member,
        },
        "roster": {
            "source": "kubernetes",
            "linger": 1.0,
            "kubernetes": {"kubeconfig": api.kubeconfig(folder / f"kubeconfig-{letter}"), "settle": 0.1},
        },
        "plan": {"families": [4], **SPARING},
        "health": {"lag": 5},
        "ledger": {"short": 4, "long": 15},
        "shutdown": {"grace": 0.2},
    }


def add(api: ApiServer, name: str, port: int, **more: Any) -> None:
    """A node with the pod of an agent."""
    api.put("nodes", shapes.node(f"node-{name}", zone=f"zone-{name}"))
    labels = {"kubesonar.io/port": str(port)}
    api.put("pods", shapes.pod(f"agent-{name}", node=f"node-{name}", ips=(ip_of(name),), labels=labels, **more))


@contextmanager
def mesh(api: ApiServer, folder: Path) -> Iterator[dict[str, RunningAgent]]:
    with ExitStack() as stack:
        ports = {name: free_port() for name in NAMES}
        for name, port in ports.items():
            add(api, name, port)
        agents = [RunningAgent(folder, name, **tree(api, folder, name, port)) for name, port in ports.items()]
        enter_all(stack, agents)
        yield {agent.name: agent for agent in agents}


def verdict(*agents: RunningAgent) -> dict[str, Any]:
    """What `kubesonar check` says of these agents, with its exit code."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "kubesonar", "check", "--json", "--only"),
            *(f"http://127.0.0.1:{agent.port}" for agent in agents),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"code": done.returncode}


@pytest.mark.timeout(300)
def test_agents_find_each_other_and_only_what_should_be_there_and_is_not_is_a_failure(tmp_path: Path) -> None:
    with ApiServer() as api, mesh(api, tmp_path) as agents:
        everybody = tuple(agents.values())
        until(lambda: verdict(*everybody)["code"] == 0, PATIENCE)
        me = agents["a"].snapshot().member
        assert (me.name, me.node, me.zone, me.addresses) == ("agent-a", "node-a", "zone-a", (ip_of("a"),))
        assert me.epoch > 0
        metrics = agents["a"].get("/metrics")[1].decode()
        assert 'kubesonar_members{state="serving"} 4' in metrics
        assert 'kubesonar_roster_age_seconds{source="kubernetes"} 0' in metrics

        # A node is cordoned and its agent goes: shown, and no failure.
        api.put("nodes", shapes.node("node-b", cordoned=True))
        until(lambda: _states(agents["a"]).get("agent-b") == "cordoned")
        agents.pop("b").process.kill()
        rest = tuple(agents.values())
        found = until(lambda: well if (well := verdict(*rest))["states"] and well["code"] == 0 else None, PATIENCE)
        assert found["states"] == ["agent-b cordoned: node node-b is cordoned"]

        # The API server goes: the roster is stale, probing goes on, and what fails now is found all the same.
        api.stop()
        until(lambda: agents["a"].snapshot().roster.stale)
        status, body = agents["a"].get("/readyz")
        assert status == 200
        assert body.startswith(b"ok\nthe roster is stale for ")
        assert b"kubesonar_roster_stale 1" in agents["a"].get("/metrics")[1]
        found = until(lambda: well if (well := verdict(*rest))["code"] == 0 else None, PATIENCE)
        assert any(line.startswith("the roster of ") and "is stale: " in line for line in found["unknown"])
        agents.pop("c").process.kill()
        rest = tuple(agents.values())
        found = until(lambda: bad if (bad := verdict(*rest))["code"] == 1 else None, PATIENCE)
        assert "-c" in found["sentence"]

        # It comes back; the pod that died is deleted, stands a while as deleted, and all is well.
        api.start()
        api.delete("pods", "agent-c")
        until(lambda: _states(agents["a"]).get("agent-c") in ("deleted", None))
        found = until(lambda: well if (well := verdict(*rest))["code"] == 0 else None, PATIENCE)
        until(lambda: set(_states(agents["a"])) == {"agent-a", "agent-b", "agent-d"})


@pytest.mark.timeout(200)
def test_a_node_that_kubernetes_calls_not_ready_is_expected_to_answer_until_it_is_deleted(tmp_path: Path) -> None:
    with ApiServer() as api, mesh(api, tmp_path) as agents:
        until(lambda: verdict(*agents.values())["code"] == 0, PATIENCE)

        # The kubelet falls silent, the agent answers: a remark on the kubelet.
        silent = shapes.node("node-b", ready="Unknown")
        silent["status"]["conditions"][-1] |= {
            "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.",
            "lastTransitionTime": "2026-11-28T09:47:31Z",
        }
        api.put("nodes", silent)
        until(lambda: _states(agents["a"]).get("agent-b") == "not_ready")
        remark = (
            r"Kubernetes calls node-b NotReady since [\d:]{8}, but its agents answer everybody: look at its kubelet"
        )

        def remarked() -> bool:
            found = verdict(*agents.values())
            return found["code"] == 0 and any(re.fullmatch(remark, line) for line in found["unknown"])

        until(remarked, PATIENCE)

        # The agent dies: it is told, whatever Kubernetes says of its node.
        agents.pop("b").process.kill()
        rest = tuple(agents.values())
        found = until(lambda: bad if (bad := verdict(*rest))["code"] == 1 else None, PATIENCE)
        assert re.search(r"node-b .*; Kubernetes calls it NotReady since \d\d:\d\d:\d\d", found["sentence"])
        assert found["states"] == []

        # The node object goes: somebody wanted that.
        api.delete("nodes", "node-b")
        found = until(lambda: well if (well := verdict(*rest))["code"] == 0 else None, PATIENCE)
        assert found["states"] == ["agent-b deleted: node node-b is gone"]


def test_in_the_host_network_an_agent_that_knows_only_its_host_finds_its_pods_name(tmp_path: Path) -> None:
    with ApiServer() as api:
        port = free_port()
        add(api, "a", port, host_network=True)
        options = tree(api, tmp_path, "a", port, name="node-a", network="host")
        with RunningAgent(tmp_path, "a", **options) as agent:
            until(lambda: agent.snapshot().member.name == "agent-a")
            until(lambda: agent.status("/readyz") == 200)
            me = agent.snapshot().member
            assert (me.network, me.node, me.zone) == (Network.HOST, "node-a", "zone-a")
            (own,) = until(lambda: [edge for edge in agent.snapshot().edges if len(edge.trials) > 3])
            assert own.latest.source == "agent-a"
            assert agent.stop() == 0
        assert agent.log.read_text().count("serving") == 1


def test_an_agent_that_may_not_list_pods_is_not_ready_and_says_which_right_is_missing(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.refuse("*", "pods")
        port = free_port()
        agent = RunningAgent(tmp_path, "a", **tree(api, tmp_path, "a", port))
        try:
            until(lambda: agent.status("/readyz") == 503 and b"403 Forbidden" in agent.get("/readyz")[1])
            assert agent.status("/healthz") == 200
        finally:
            assert agent.stop() == 0


@pytest.mark.parametrize(
    ("roster", "says"),
    [
        (
            {"source": "kubernetes", "kubernetes": {"kubeconfig": "/nowhere"}},
            "roster.source: kubernetes cannot be used",
        ),
        ({"source": "dns"}, "roster: the source dns needs roster.dns.name"),
        ({"source": "file"}, "roster: the source file needs roster.file"),
    ],
)
def test_a_source_that_cannot_be_used_ends_it_with_one_sentence(tmp_path: Path, roster: Any, says: str) -> None:
    agent = RunningAgent(tmp_path, "a", member={"name": "a", "port": free_port()}, roster=roster)
    assert agent.process.wait(30) == 2
    sentence, *more = agent.log.read_text().splitlines()
    assert says in sentence
    assert more in ([], ["kubesonar agent --help shows more"])


def _states(agent: RunningAgent) -> dict[str, str]:
    return {member.name: member.state.value for member in agent.snapshot().roster.members}
