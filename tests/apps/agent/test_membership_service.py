"""Agents that elect a coordinator among themselves, which tells by webhook when one of them dies."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kubesonar.messaging.open_claims import OPEN_CLAIMS_FILE
from tests.apps.agents import RunningAgent, enter_all, members, tree, until
from tests.apps.hooks import Hooks, receiving
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.ports import free_port

KEY = "1 " + "ab" * 16 + "\n"
DEATHS = ("gone", "dead", "frozen")
SPARING = {"families": [4], **{kind: {"period": 1.0, "timeout": 2.0} for kind in ("udp", "tcp", "http", "icmp", "mtu")}}
"""A plan for agents that watch each other: what they probe besides costs more than the rest of a test."""


class Mesh:
    """Agents that know each other and one receiver."""

    def __init__(self, folder: Path, stack: ExitStack, names: str, hooks: Hooks, **more: Any) -> None:
        self._more = more
        self._folder = folder
        self._stack = stack
        self._hooks = hooks
        (folder / "keys").write_text(KEY)
        self.ports = {name: free_port() for name in names}
        self._roster = members(folder, self.ports)
        self.agents: dict[str, RunningAgent] = {}
        for name in names:
            self.start(name)
        enter_all(stack, self.agents.values())

    def start(self, name: str) -> RunningAgent:
        more = {
            "keys": {"file": str(self._folder / "keys")},
            "cluster": {"name": "prod-eu", "detect": False},
            "notify": {
                "receivers": [{"name": "pager", "url": self._hooks.url}],
                "directory": str(self._folder / f"outbox-{name}"),
            },
            "plan": SPARING,
            **self._more,
        }
        (self._folder / f"outbox-{name}").mkdir(exist_ok=True)
        agent = RunningAgent(self._folder, name, **tree(name, self.ports[name], self._roster, **more))
        self.agents[name] = agent
        return agent

    def restart(self, name: str) -> None:
        self._stack.enter_context(self.start(name))

    def kill(self, name: str) -> None:
        """kill -9."""
        self.agents[name].process.kill()
        self.agents[name].process.wait()

    def forget(self, name: str) -> None:
        """The roster names it no more."""
        members(self._folder, {other: port for other, port in self.ports.items() if other != name})

    def coordinator(self) -> str:
        """The one that all agents that run agree on; empty while they do not."""
        running = [agent for agent in self.agents.values() if agent.process.poll() is None]
        known = {agent.snapshot().coordinator for agent in running}
        return known.pop() if len(known) == 1 else ""


def test_a_killed_agent_is_told_once_and_its_return_too_and_the_coordinator_is_no_exception(tmp_path: Path) -> None:
    with receiving() as hooks, ExitStack() as stack:
        mesh = Mesh(tmp_path, stack, "abcd", hooks)
        first = until(mesh.coordinator)
        metrics = mesh.agents[first].get("/metrics")[1].decode()
        assert "\nkubesonar_coordinator 1\n" in metrics
        assert 'kubesonar_webhook_pending{receiver="pager"}' in metrics

        victim = min(set(mesh.ports) - {first})
        mesh.kill(victim)
        notice = until(lambda: hooks.told("gone", victim))
        assert re.fullmatch(
            rf"the agent {victim} is gone: its host refuses its port, silent for \d+\.\d s; confirmed by .+",
            notice["sentence"],
        )
        assert notice["coordinator"] == first
        mesh.restart(victim)
        until(lambda: hooks.told("back", victim))

        mesh.kill(first)
        second = until(lambda: (now := mesh.coordinator()) != first and now)
        notice = until(lambda: hooks.told("gone", first))
        assert notice["coordinator"] == second
        deaths = [body["data"]["member"] for body in hooks.bodies if body["data"]["what"] in ("gone", "dead", "frozen")]
        assert sorted(deaths) == sorted([victim, first]), "nobody else was called dead, and nobody twice"


def test_who_is_told_gone_has_left_once_no_roster_names_it_whoever_coordinates_then(tmp_path: Path) -> None:
    with receiving() as hooks, ExitStack() as stack:
        mesh = Mesh(tmp_path, stack, "abcdefg", hooks)
        first = until(mesh.coordinator)
        victim = min(set(mesh.ports) - {first})
        mesh.kill(victim)
        until(lambda: hooks.told("gone", victim))
        mesh.kill(first)
        until(lambda: mesh.coordinator() not in ("", first))
        until(lambda: hooks.told("gone", first))
        mesh.forget(victim)
        left = until(lambda: hooks.told("left", victim))
        assert (left["cluster"], left["network"], left["component"]) == ("prod-eu", "pod", "member")
        assert [body["data"]["member"] for body in hooks.bodies if body["data"]["what"] == "left"] == [victim]


def test_who_left_while_all_agents_were_down_is_told_by_what_the_coordinator_kept(tmp_path: Path) -> None:
    with receiving() as hooks, ExitStack() as stack:
        mesh = Mesh(tmp_path, stack, "abcd", hooks)
        first = until(mesh.coordinator)
        victim = min(set(mesh.ports) - {first})
        mesh.kill(victim)
        until(lambda: hooks.told("gone", victim))
        kept = tmp_path / f"outbox-{first}" / OPEN_CLAIMS_FILE
        until(kept.exists)
        for name in set(mesh.ports) - {victim}:
            mesh.kill(name)
        mesh.forget(victim)
        for name in set(mesh.ports) - {victim}:
            mesh.restart(name)
        (left,) = until(lambda: [body["data"] for body in hooks.bodies if body["data"]["what"] == "left"])
        assert (left["node"], left["network"], left["component"]) == (victim, "pod", "member")


def test_receivers_without_a_name_of_the_cluster_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with receiving() as hooks, ExitStack() as stack:
        mesh = Mesh(tmp_path, stack, "", hooks, cluster={"detect": False})
        mesh.ports["a"] = free_port()
        agent = mesh.start("a")
        assert agent.process.wait(30) == 2
        assert "cluster.name: expected a name" in agent.log.read_text()


def test_who_tells_what_anybody_may_have_made_up_is_warned(tmp_path: Path) -> None:
    with receiving() as hooks, ExitStack() as stack:
        mesh = Mesh(tmp_path, stack, "a", hooks, keys={})
        until(lambda: mesh.agents["a"].status("/healthz") == 200)
        assert "members' messages are not signed" in mesh.agents["a"].log.read_text()


def test_who_leaves_in_order_is_not_called_dead(tmp_path: Path) -> None:
    with receiving() as hooks, ExitStack() as stack:
        mesh = Mesh(tmp_path, stack, "abcde", hooks)
        first = until(mesh.coordinator)
        left, victim = sorted(set(mesh.ports) - {first})[:2]
        assert mesh.agents[left].stop() == 0
        mesh.kill(victim)
        until(lambda: hooks.told("gone", victim))
        assert mesh.agents[first].stop() == 0
        assert until(mesh.coordinator) not in (first, left, victim)
        assert {body["data"]["member"] for body in hooks.bodies if body["data"]["what"] in DEATHS} == {victim}


def test_while_the_lease_is_anothers_nothing_is_told_and_without_the_api_server_it_is(tmp_path: Path) -> None:
    with ApiServer() as api, receiving() as hooks, ExitStack() as stack:
        api.put("leases", shapes.lease("told", "somebody-else", seconds=60))
        config = api.kubeconfig(tmp_path / "kubeconfig")
        mesh = Mesh(tmp_path, stack, "abcd", hooks, environ={"KUBECONFIG": config}, lease={"name": "told"})
        first = until(mesh.coordinator)
        until(lambda: api.asked("get", "leases"))
        victim = min(set(mesh.ports) - {first})
        mesh.kill(victim)
        suspected = 'kubesonar_members_suspected{condition="gone"} 1'
        until(lambda: any(suspected in metrics(mesh, name) for name in mesh.ports if name != victim))
        assert hooks.told("gone", victim) is None
        api.stop()
        assert until(lambda: hooks.told("gone", victim))["coordinator"] == first


def metrics(mesh: Mesh, name: str) -> str:
    return mesh.agents[name].get("/metrics")[1].decode()
