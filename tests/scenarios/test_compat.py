"""Older tools' rooms in a lab with real links: each passes its tool's own acceptance, and follows what happens."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kubesonar.net.http.client import Fetcher
from tests.lab.inside import in_namespaces
from tests.scenarios.running_lab import RunningLab

pytestmark = pytest.mark.lab

SECONDS = 40.0


def test_kubenurse_is_accepted_on_every_node(tmp_path: Path) -> None:
    in_namespaces(lambda: None)  # skips where there are none
    command = [sys.executable, "-m", "kubesonar", "lab", "--nodes", "3", "--compat", "kubenurse", "--once"]
    done = subprocess.run(
        [*command, "--directory", str(tmp_path / "lab")], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for node in range(1, 4):
        assert f"node-{node}-pod: kubenurse: accepted" in done.stderr


def test_kubenurse_heeds_cordons_and_names_what_fails(tmp_path: Path) -> None:
    in_namespaces(lambda: None)
    with RunningLab(tmp_path, 3, compat="kubenurse") as lab:
        sock = lab.room("node-1-pod")
        until(sock, "/alive", 200)
        lab.order("state node-1 cordoned")
        until(sock, "/ready", 503)
        lab.order("state node-1 serving")
        until(sock, "/ready", 200)
        lab.order("cut node-2")
        said = until(sock, "/alive", 500)
        assert said["last_check_result"]["path_node-2"] != "ok"
        assert said["last_check_result"]["path_node-3"] == said["api_server_direct"] == "ok"
        assert b'type="path_node-2",event="connect_done"' in ask(sock, "/metrics")[1]


def until(where: str, path: str, status: int) -> Any:
    """What it says once it says that status."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        got, body = ask(where, path)
        if got == status and (body or path == "/ready"):
            return json.loads(body) if body else None
        time.sleep(0.2)
    raise AssertionError(f"{path} never said {status}")


def ask(where: str, path: str) -> tuple[int, bytes]:
    async def asked() -> tuple[int, bytes]:
        with Fetcher(token="", ca_file="", timeout=5.0, limit=8 << 20) as fetcher:
            answer = await fetcher.get(where, path)
        return answer.status, answer.body

    return asyncio.run(asked())
