"""Real agents as processes on loopback, for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from kubesonar.model import Snapshot

Value = TypeVar("Value")

_SET_APART = ("KUBESONAR_", "KUBERNETES_")
FAST = {kind: {"period": 0.2, "timeout": 2.0} for kind in ("udp", "tcp", "http", "icmp", "mtu")}


def until(look: Callable[[], Value | None], seconds: float = 90.0) -> Value:
    """The first value that is something, looked for again and again: for so long that only what never comes fails, on a
    busy machine too. Most of the time is left to what is waited for, also where a look takes long."""
    deadline = time.monotonic() + seconds
    while True:
        begun = time.monotonic()
        value = look()
        if value:
            return value
        ended = time.monotonic()
        if ended > deadline:
            raise AssertionError(f"not seen within {seconds} s: {look}")
        time.sleep(min(0.5, max(0.05, 3 * (ended - begun))))


class RunningProgram:
    """A process of kubesonar with a configuration of its own in `folder`, and these variables more. It answers by HTTP
    at `host` and `port`."""

    def __init__(
        self, folder: Path, name: str, command: str, host: str, port: int, environ: Mapping[str, str] | None, tree: Any
    ) -> None:
        self.name = name
        self.host = host
        self.port = port
        config = folder / f"{name}.json"
        config.write_text(json.dumps(tree))
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kubesonar", command, "--config", str(config)],
                stderr=log,
                env={
                    **{key: value for key, value in os.environ.items() if not key.startswith(_SET_APART)},
                    **(environ or {}),
                },
            )

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body."""
        connection = HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def status(self, path: str) -> int:
        """The status alone; 0 while nobody listens."""
        try:
            return self.get(path)[0]
        except OSError:
            return 0

    def stop(self) -> int:
        """Ends it by SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def __enter__(self) -> Self:
        try:
            until(lambda: self.status("/readyz") == 200 or self.process.poll() is not None)
            assert self.process.poll() is None, self.log.read_text()
        except BaseException:  # not `with`, whose end nobody would reach
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def enter_all(stack: ExitStack, programs: Collection[RunningProgram]) -> None:
    """Wait until all these answer; `stack` ends them all, also where one of them never does."""
    for program in programs:
        stack.push(program)
    for program in programs:
        program.__enter__()


class RunningAgent(RunningProgram):
    """An agent."""

    def __init__(self, folder: Path, name: str, environ: Mapping[str, str] | None = None, **tree: Any) -> None:
        own = (address for address in tree["member"].get("bind", []) if address.startswith("127."))
        super().__init__(folder, name, "agent", next(own, "127.0.0.1"), tree["member"]["port"], environ, tree)

    def snapshot(self) -> Snapshot:
        """What it knows."""
        return msgspec.json.decode(self.get("/api/v1/snapshot")[1], type=Snapshot)


class RunningCollector(RunningProgram):
    """A collector on loopback."""

    def __init__(self, folder: Path, port: int, **tree: Any) -> None:
        whole = {"listen": [{"address": f"127.0.0.1:{port}"}], **tree}
        super().__init__(folder, "collector", "collector", "127.0.0.1", port, None, whole)

    def document(self, path: str, token: str = "") -> Any:
        """A document of its API; None while there is none."""
        status, body = self.get(path, {"Authorization": f"Bearer {token}"})
        return json.loads(body) if status == 200 else None


def members(folder: Path, ports: Mapping[str, int], **states: str) -> Path:
    """A members file on loopback: a node, and a port, for each."""
    file = folder / "members.json"
    entries = [
        {"name": name, "node": name, "addresses": ["127.0.0.1"], "port": port, "state": states.get(name, "serving")}
        for name, port in ports.items()
    ]
    part = folder / "members.part"
    part.write_text(json.dumps({"version": 1, "members": entries}))
    part.rename(file)
    return file


def tree(name: str, port: int, roster: Path, **more: Any) -> dict[str, Any]:
    """The configuration of a fast agent on loopback."""
    return {
        "member": {"name": name, "port": port, "bind": ["127.0.0.1"]},
        "roster": {"file": str(roster), "poll": 0.1},
        "plan": {"families": [4], **FAST},
        "shutdown": {"grace": 0.2},
        **more,
    }
