"""`kubesonar dns watch` as a process."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.doctor.cluster import DnsCluster
from tests.ports import free_port

PATIENCE = 30.0


class Watch:
    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self._port = process, port

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        except ConnectionRefusedError:
            return 0, ""
        finally:
            connection.close()

    def metrics(self) -> dict[tuple[str, str], float]:
        """Samples by name and the values of their labels."""
        lines = re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return {(name, " ".join(re.findall('"([^"]*)"', labels))): float(value) for name, labels, value in lines}

    def until(self, fits: Callable[[dict[tuple[str, str], float]], bool]) -> dict[tuple[str, str], float]:
        end = time.monotonic() + PATIENCE
        while not fits(found := self.metrics()):
            assert time.monotonic() < end, found
            assert self.process.poll() is None
            time.sleep(0.05)
        return found


@contextmanager
def watching(cluster: DnsCluster, folder: Path, *arguments: str) -> Iterator[Watch]:
    port = free_port()
    command = [sys.executable, "-m", "kubesonar", "dns", "watch", "--listen", f"127.0.0.1:{port}"]
    command += ["--period", "0.2", "--timeout", "0.5", f"-path={cluster.kubeconfig(folder)}", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Watch(process, port)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
