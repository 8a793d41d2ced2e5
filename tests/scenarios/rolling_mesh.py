"""A mesh of agent processes on loopback, rolled to another wire version and key one by one, judged all the while."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kubesonar.apps.client import asking
from kubesonar.apps.client.gather import Assessment, assess
from kubesonar.apps.client.sources import SnapshotSource
from kubesonar.model import Finding, Health
from tests.apps.agents import RunningAgent, members, tree
from tests.ports import free_port

KEYS = {2: "1 " + "ab" * 16 + "\n", 3: "2 " + "cd" * 16 + "\n"}
"""For each wire version the key that goes with it here."""

_PATIENCE = 30.0
_PERIODS = {"udp": 1.0, "tcp": 3.0, "http": 3.0, "icmp": 3.0, "mtu": 10.0}
_PAUSE = 0.2


class RollingMesh:
    """So many agents, each with a key file of its own as a mounted Secret has. `findings` are all that any look found,
    `looks` how many there were."""

    def __init__(self, folder: Path, count: int, version: int) -> None:
        self.findings: list[Finding] = []
        self.looks = 0
        self._folder = folder
        self._ports = {f"m{number}": free_port() for number in range(1, count + 1)}
        self._roster = members(folder, self._ports)
        self._sources = [SnapshotSource(f"http://127.0.0.1:{port}", name) for name, port in self._ports.items()]
        self._agents: dict[str, RunningAgent] = {}
        self._version = version

    def __enter__(self) -> RollingMesh:
        self._exits = ExitStack()
        self._exits.callback(self._stop)
        with ExitStack() as failed:
            failed.push(self._exits)
            for name in self._ports:
                self._write_keys(name, self._version)
                self._start(name, self._version)
            self.until(lambda assessment: assessment.verdict.verdict is Health.GOOD)
            self.findings.clear()
            failed.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def deaths(self) -> list[str]:
        """What any agent's log says of dead, gone or frozen members."""
        lines = [line for name in self._ports for line in (self._folder / f"{name}.log").read_text().splitlines()]
        return [line for line in lines if any(f" is {what}" in line for what in ("dead", "gone", "frozen"))]

    def roll(self, version: int) -> None:
        """Appends the version's key everywhere, restarts one agent after the other with that version and with that key
        on top, and removes the old key everywhere."""
        old = self._version
        for name in self._ports:
            self._write_keys(name, old, version)
        self.watch(1.0)
        for name in self._ports:
            self._restart(name, version, old)
        for name in self._ports:
            self._write_keys(name, version)
        self._version = version

    def watch(self, seconds: float) -> Assessment:
        """Looks on for a while; the last look."""
        end = time.monotonic() + seconds
        return self.until(lambda _: time.monotonic() > end)

    def until(self, condition: Callable[[Assessment], bool]) -> Assessment:
        """Looks until something is so."""
        deadline = time.monotonic() + _PATIENCE
        while not condition(assessment := self._look()):
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"not within {_PATIENCE:.0f} s: {assessment.verdict.sentence} {assessment.verdict.unknown} "
                    f"{assessment.verdict.states}"
                )
            time.sleep(_PAUSE)
        return assessment

    def _restart(self, name: str, version: int, old: int) -> None:
        members(self._folder, self._ports, **{name: "rolling"})
        self.until(lambda assessment: _all_roll(assessment, name))
        self._agents[name].stop()
        self._write_keys(name, version, old)
        agent = self._start(name, version)
        self.until(lambda _: agent.status("/readyz") == 200)
        members(self._folder, self._ports)
        self.until(lambda assessment: not assessment.verdict.states)  # some never hear that who left began anew

    def _look(self) -> Assessment:
        assessment = asking.run_async(assess(self._sources))
        self.looks += 1
        self.findings += assessment.verdict.findings
        return assessment

    def _start(self, name: str, version: int) -> RunningAgent:
        more: dict[str, Any] = {
            "udp": {"speak": version},
            "keys": {"file": str(self._folder / f"{name}.keys")},
            "plan": {"families": [4], **{k: {"period": p, "timeout": 2.0} for k, p in _PERIODS.items()}},
        }
        port = self._ports[name]
        self._agents[name] = RunningAgent(self._folder, name, **(tree(name, port, self._roster) | more))
        return self._agents[name]

    def _write_keys(self, name: str, *versions: int) -> None:
        part = self._folder / f"{name}.keys.part"
        part.write_text("".join(KEYS[version] for version in versions))
        part.rename(self._folder / f"{name}.keys")

    def _stop(self) -> None:
        for agent in self._agents.values():
            agent.__exit__()


def _all_roll(assessment: Assessment, name: str) -> bool:
    rosters = [snapshot.roster for snapshot in assessment.snapshots]
    return all((member := roster.named(name)) and not member.expected for roster in rosters)
