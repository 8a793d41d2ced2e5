"""The rotation of keys that the documentation shows, on running agents."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kubesonar.model import Fault, Snapshot
from tests.apps.agents import RunningAgent, members, tree, until
from tests.apps.hooks import receiving
from tests.ports import free_port

DOCS = Path(__file__).parents[2] / "docs" / "agent.md"
NAMES = ("a", "b", "c")
BETWEEN = 1.5
"""Seconds between two copies: longer than agents take to see theirs, so that the members differ for a while."""


def documented() -> list[tuple[list[str], bool]]:
    """The commands of the section, and after which of them the file is copied to every node."""
    section = DOCS.read_text().partition("## Rotating keys")[2].partition("\n## ")[0]
    lines = re.findall(r"^kubesonar .*$", section.partition("```sh")[2].partition("```")[0], re.MULTILINE)
    commands = [line.partition("#") for line in lines]
    return [(shlex.split(command), "then copy" in comment) for command, _, comment in commands]


def kubesonar(folder: Path, words: list[str], port: int) -> subprocess.CompletedProcess[str]:
    """Runs a command as documented, from this interpreter."""
    asked = [word.replace("AGENT", f"127.0.0.1:{port}") for word in words[1:]]
    command = [sys.executable, "-m", "kubesonar", *asked]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


def lost(snapshots: list[Snapshot], since: float) -> list[str]:
    """The trains since then that lost anything or met another version or key, but for what was an agent's own
    trouble."""
    blind = [(t.since - 1, (t.until or float("inf")) + 1) for s in snapshots for t in s.troubles]
    return [
        f"{snapshot.member.name}: {edge.latest.check.id}: {trial}"
        for snapshot in snapshots
        for edge in snapshot.edges
        for trial in edge.trials
        if edge.latest.check.id.startswith("udp/")
        and trial.at > since
        and trial.fault is not Fault.LOCAL
        and (trial.fault or trial.received < trial.sent)
        and not any(begin <= trial.at <= end for begin, end in blind)
    ]


@pytest.mark.timeout(180)
def test_keys_are_rotated_as_documented_without_a_loss_a_mismatch_or_a_notice(tmp_path: Path) -> None:
    ports = {name: free_port() for name in NAMES}
    roster = members(tmp_path, ports)
    (tmp_path / "keys").write_text("1 " + "ab" * 32 + "\n")
    with receiving() as hooks, contextlib.ExitStack() as stack:
        agents = []
        for name in NAMES:
            shutil.copy(tmp_path / "keys", tmp_path / f"keys-{name}")
            more = {
                "keys": {"file": str(tmp_path / f"keys-{name}")},
                "cluster": {"name": "kind-1", "detect": False},
                "notify": {"receivers": [{"name": "pager", "url": hooks.url}]},
                "ledger": {"long": 600, "trials": 4096},
            }
            agent = RunningAgent(tmp_path, name, **tree(name, ports[name], roster, **more))
            agents.append(stack.enter_context(agent))
        until(lambda: len({agent.snapshot().coordinator for agent in agents} - {""}) == 1)
        until(lambda: all(sum(edge.latest.received > 0 for edge in agent.snapshot().edges) > 4 for agent in agents))
        begun = time.time()
        steps = documented()
        assert len(steps) == 6
        for words, copied in steps:
            done = kubesonar(tmp_path, words, ports["a"])
            assert done.returncode == 0, (words, done.stdout, done.stderr)
            for name in NAMES if copied else ():
                shutil.copy(tmp_path / "keys", tmp_path / "draft")
                (tmp_path / "draft").rename(tmp_path / f"keys-{name}")
                time.sleep(BETWEEN)
        assert done.stdout.splitlines()[0] == "all agents know key 2 and sign with 2 (3 of 3)"
        answer = json.loads(kubesonar(tmp_path, ["", "keys", "status", "--json", "http://AGENT"], ports["b"]).stdout)
        assert [(agent["member"], agent["knows"], agent["signs"]) for agent in answer["agents"]] == [
            (name, [2], 2) for name in NAMES
        ]
        assert kubesonar(tmp_path, ["", "keys", "status", "--know", "1", "http://AGENT"], ports["c"]).returncode == 1
        assert lost([agent.snapshot() for agent in agents], begun) == []
        assert [body for body in hooks.bodies if body["data"]["what"] != "cluster"] == []
        for agent in agents:
            assert b"ab" * 32 not in agent.get("/api/v1/snapshot")[1]
            assert "mismatch" not in agent.log.read_text()


def test_an_agent_that_cannot_be_asked_keeps_the_answer_open(tmp_path: Path) -> None:
    ports = {"a": free_port(), "gone": free_port()}
    roster = members(tmp_path, ports)
    with RunningAgent(tmp_path, "a", **tree("a", ports["a"], roster)):
        done = kubesonar(tmp_path, ["", "keys", "status", "http://AGENT"], ports["a"])
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == "all agents use no keys (1 of 1); not known of gone"
