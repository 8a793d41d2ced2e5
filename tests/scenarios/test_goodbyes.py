"""A rollout while rosters lag: each pod is replaced by one at an address that others do not know yet."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from kubesonar.apps.client import asking
from kubesonar.apps.client.gather import AgentAccess, Assessment, assess
from kubesonar.apps.client.sources import SnapshotSource
from kubesonar.model import Finding, Health
from tests.apps.agents import RunningAgent, enter_all, tree
from tests.ports import free_port

LAG = 12.0
"""Seconds by which rosters are behind: longer than the short window, so that silence would be found."""

NODES = (1, 2, 3, 4)

_PERIODS = {"udp": 0.5, "tcp": 2.0, "http": 2.0, "icmp": 1.0, "mtu": 10.0}


class Rollout:
    """Agents with a roster each; `lives` counts how often the pod of a node was replaced."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.findings: list[Finding] = []
        self._folder = folder
        self._stack = stack
        self._port = free_port()
        self._agents: dict[int, RunningAgent] = {}
        self._lives = dict.fromkeys(NODES, 0)
        (folder / "keys").write_text("1 " + "ab" * 16 + "\n")
        for node in NODES:
            self.write_roster(node)
        for node in NODES:
            self.start(node)
        enter_all(stack, self._agents.values())

    def write_roster(self, of: int) -> None:
        """Give the agent of a node the roster as it is now."""
        entries = [
            {"name": self._name(node), "node": f"n{node}", "addresses": [self._address(node)], "port": self._port}
            for node in NODES
        ]
        part = self._folder / "part"
        part.write_text(json.dumps({"version": 1, "members": entries}))
        part.rename(self._folder / f"{of}.json.members")

    def start(self, node: int) -> RunningAgent:
        """Start the pod of a node, which has just this life's name and address."""
        name, roster = self._name(node), self._folder / f"{node}.json.members"
        options = tree(name, self._port, roster, keys={"file": str(self._folder / "keys")})
        options["member"] |= {"node": f"n{node}", "bind": [self._address(node)]}
        options["member"]["addresses"] = self._address(node)
        options["plan"] = {
            "families": [4],
            **{kind: {"period": every, "timeout": 1.0} for kind, every in _PERIODS.items()},
        }
        self._agents[node] = RunningAgent(self._folder, name, **options)
        return self._agents[node]

    def replace(self, node: int) -> None:
        """Stop a node's pod in order and start the next one, which nobody else knows."""
        self._agents[node].stop()
        self._lives[node] += 1
        self.write_roster(node)
        self._stack.enter_context(self.start(node))

    def watch(self, seconds: float) -> Assessment:
        """Look on for a while; the last look."""
        end = time.monotonic() + seconds
        while True:
            sources = [SnapshotSource(f"http://{agent.host}:{agent.port}") for agent in self._agents.values()]
            found = asking.run_async(assess(sources, AgentAccess(everybody=False)))
            self.findings += found.verdict.findings
            if time.monotonic() > end:
                return found
            time.sleep(0.2)

    def deaths(self) -> list[str]:
        """What any agent's log says of dead, gone or frozen members."""
        lines = [line for log in self._folder.glob("*.log") for line in log.read_text().splitlines()]
        return [line for line in lines if any(f" is {what}" in line for what in ("dead", "gone", "frozen"))]

    def _name(self, node: int) -> str:
        return f"m{node}-{self._lives[node]}"

    def _address(self, node: int) -> str:
        return f"127.0.{self._lives[node] + 1}.{node}"


@pytest.mark.long
def test_a_pod_that_takes_its_leave_is_no_news_though_rosters_lag(tmp_path: Path) -> None:
    with ExitStack() as stack:
        rollout = Rollout(tmp_path, stack)
        while rollout.watch(1.0).verdict.verdict is not Health.GOOD:
            pass
        rollout.findings.clear()
        rollout.replace(1)
        rollout.watch(LAG)
        for node in NODES:
            rollout.write_roster(node)
            rollout.watch(1.0)
        last = rollout.watch(6.0)
        assert [finding.sentence for finding in rollout.findings] == []
        assert rollout.deaths() == []
        assert last.verdict.verdict is Health.GOOD, last.verdict.unknown
