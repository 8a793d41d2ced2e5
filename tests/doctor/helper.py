"""A kubelet of the API double for the helper pod: sets its status, and lets its commands find their programs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubesonar.doctor.rights import HELPER
from tests.doctor.cluster import DnsCluster
from tests.kube.store import Refused

RIGHTS = {"create pods", "get pods", "delete pods", "create pods/exec", "get pods/exec"}


def status(phase: str = "Running", waiting: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    return {"phase": phase, "containerStatuses": [{"name": "dns", "restartCount": 0, "state": state}]}


@contextmanager
def kubelet(
    cluster: DnsCluster,
    *,
    programs: tuple[str, ...] = ("kubesonar", "dig"),
    phase: str = "Running",
    waiting: str = "",
    resolv_conf: Path = Path("/etc/resolv.conf"),
) -> Iterator[None]:
    """Gives the helper pod a status as soon as it is made. Only these programs are in its image, and `resolv_conf` is
    that of its node."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.02):
            try:
                pod = cluster.api.get("pods", HELPER, "doctors")
            except Refused:
                continue
            if "status" not in pod:
                cluster.api.put("pods", pod | {"status": status(phase, waiting)})

    def run(command: list[str]) -> list[str]:
        cluster.commands.append(command)
        if command[0] not in programs:
            return ["/no/such/program"]
        if command == ["cat", "/etc/resolv.conf"]:
            return ["cat", str(resolv_conf)]
        return [sys.executable, "-m", *command] if command[0] == "kubesonar" else command

    cluster.api.switches.streams.run = run
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
