"""A lab as a person runs it, judged over its agents' sockets: for scenarios and for the soak of bench/."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from kubesonar.apps.client import asking
from kubesonar.apps.client.collector_client import CollectorClient
from kubesonar.apps.client.gather import assess, gather
from kubesonar.apps.client.sources import sources_of
from kubesonar.config import ConfigError
from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.lab.control import ask
from kubesonar.lab.directory import LabError
from kubesonar.lab.servers.pager import PagedNotice, read_notices
from kubesonar.model import Health, Network, Verdict

_START = 120.0
"""Seconds that a lab may take to start: 3 s where the machine is calm. A lower limit fails on a busy one."""
_AGENTS_A_NODE = 2


class RunningLab:
    """`kubesonar lab` as a process of its own, taken down at the end of the context."""

    def __init__(
        self,
        folder: Path,
        nodes: int = 5,
        rates: str = "lab",
        compat: str = "",
        collectors: int = 0,
        dns: bool = False,
        *,
        judge: bool = False,
    ) -> None:
        self._directory = folder / "lab"
        self._nodes = nodes
        self._said = (folder / "lab.log").open("w+")
        command = [sys.executable, "-m", "kubesonar", "lab", "--nodes", str(nodes), "--directory", str(self._directory)]
        command += ["--collectors", str(collectors), "--rates", rates, *(["--compat", compat] if compat else ())]
        command += ["--dns"] if dns else []
        command += ["--judge"] if judge else []
        self._process = subprocess.Popen(command, stdout=self._said, stderr=self._said)

    def __enter__(self) -> RunningLab:
        deadline = time.monotonic() + _START
        while not self._complete():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self.said
                self.__exit__()
                raise AssertionError(f"the lab did not start: {said}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            self._said.close()

    def room(self, member: str) -> str:
        """Where the older tool's room beside a member answers."""
        return f"unix:{self._directory}/rooms/{member}.sock"

    @property
    def page(self) -> str:
        """The address of its page, as it prints it."""
        return self.said.partition("the page is at ")[2].split()[0]

    @property
    def said(self) -> str:
        """What it printed so far."""
        self._said.flush()
        return Path(self._said.name).read_text()

    def order(self, text: str = "") -> tuple[str, ...]:
        """Breaks something, as `kubesonar lab fault …`; what is broken then."""
        return ask(self._directory, text)

    def collector(self, name: str) -> str:
        """Where a collector answers."""
        return f"unix:{self._directory}/collectors/{name}.sock"

    def history(self, collector: str) -> list[IncidentRecord]:
        """What a collector remembers, the latest first."""
        return asking.run_async(CollectorClient(self.collector(collector), "", "", 2.0).incidents())

    def told(self) -> list[PagedNotice]:
        """What the coordinators told the lab's pager so far."""
        return read_notices(self._directory / "notices.jsonl")

    def coordinators(self) -> dict[Network, str]:
        """Whom the agents of each network that answer take for its coordinator; empty while they do not agree."""
        sources = sources_of([str(self._directory)])
        known: dict[Network, set[str]] = {}
        for snapshot in asking.run_async(gather(sources)).snapshots:
            known.setdefault(snapshot.member.network, set()).add(snapshot.coordinator)
        return {network: min(names) if len(names) == 1 else "" for network, names in known.items()}

    def verdict(self) -> Verdict:
        """One look at all agents, as `kubesonar check`."""
        return asking.run_async(assess(sources_of([str(self._directory)]))).verdict

    def _complete(self) -> bool:
        """Whether it takes orders and all its agents answer."""
        try:
            self.order()
            return self.verdict().observers == _AGENTS_A_NODE * self._nodes
        except (LabError, ConfigError):
            return False


def await_good(lab: RunningLab, seconds: float = 30.0, stays: float = 2.0) -> None:
    """Waits until the mesh is healthy and stays so. Raises AssertionError with the last sentence."""
    start = time.monotonic()
    since = None
    while since is None or time.monotonic() < since + stays:
        verdict, now = lab.verdict(), time.monotonic()
        since = None if verdict.verdict is not Health.GOOD else since or now
        if since is None and now > start + seconds:
            raise AssertionError(f"not good after {seconds:.0f} s: {verdict.sentence}; {verdict.unknown}")
        time.sleep(0.5)
