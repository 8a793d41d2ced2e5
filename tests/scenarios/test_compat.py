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

from kubesonar.net.http.fetcher import Fetcher
from tests.lab.inside import in_namespaces

pytestmark = pytest.mark.lab

SECONDS = 40.0


def lab(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "kubesonar", "lab", "--nodes", "3", *arguments]


def test_kubenurse_is_accepted_on_every_node(tmp_path: Path) -> None:
    in_namespaces(lambda: None)  # skips where there are none
    command = lab("--compat", "kubenurse", "--once", "--directory", str(tmp_path / "lab"))
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for node in range(1, 4):
        assert f"node-{node}-pod: kubenurse: accepted" in done.stderr


def test_kubenurse_heeds_cordons_and_names_what_fails(tmp_path: Path) -> None:
    in_namespaces(lambda: None)
    directory = tmp_path / "lab"
    sock = f"unix:{directory}/rooms/node-1-pod.sock"
    with subprocess.Popen(
        lab("--compat", "kubenurse", "--directory", str(directory)), stdout=subprocess.DEVNULL
    ) as run:
        try:
            until(sock, "/alive", 200)
            order(directory, "state node-1 cordoned")
            until(sock, "/ready", 503)
            order(directory, "state node-1 serving")
            until(sock, "/ready", 200)
            order(directory, "cut node-2")
            said = until(sock, "/alive", 500)
            assert said["last_check_result"]["path_node-2"] != "ok"
            assert said["last_check_result"]["path_node-3"] == said["api_server_direct"] == "ok"
            assert b'type="path_node-2",event="connect_done"' in ask(sock, "/metrics")[1]
        finally:
            run.terminate()


def order(directory: Path, fault: str) -> None:
    command = [sys.executable, "-m", "kubesonar", "lab", "fault", "--directory", str(directory), fault]
    subprocess.run(command, check=True, capture_output=True, timeout=30)


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
