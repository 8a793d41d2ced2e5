"""The lab inside its namespaces: built, with faults injected, watched, and removed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from kubesonar.apps.client import asking
from kubesonar.apps.client.check import EXIT_CODES
from kubesonar.apps.client.gather import Assessment, assess
from kubesonar.apps.client.live import live
from kubesonar.apps.client.output import Color, console, print_to, write_json
from kubesonar.apps.client.sources import SnapshotSource
from kubesonar.apps.client.times import clock, utc_stamp
from kubesonar.apps.lab import mesh
from kubesonar.apps.lab.page_socket import page_address
from kubesonar.apps.lab.rooms import acceptance_failures
from kubesonar.apps.lab.settling import Settling
from kubesonar.lab.control import listen
from kubesonar.lab.directory import Directory
from kubesonar.lab.faults import Act, parse
from kubesonar.lab.kernel.isolate import Isolation
from kubesonar.lab.servers.pager import read_notices
from kubesonar.lab.topology import Role, plan_lab
from kubesonar.lab.world import LabWorld
from kubesonar.model import Verdict
from kubesonar.net.clock import SystemClock
from kubesonar.views.answers import verdict_json
from kubesonar.views.terminal.map import MapView
from kubesonar.views.terminal.verdict import verdict_view

_PAUSE = 0.5
"""Seconds between two looks until the verdict has settled."""
_START = 10.0
"""Seconds that agents get to start before one of them is stopped or killed."""


class LabRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of the command."""

    nodes: int
    collectors: int
    judge: bool
    faults: tuple[str, ...]
    once: bool
    as_json: bool
    directory: Path
    user: bool
    compat: str
    dns: bool
    rates: mesh.Rates
    color: Color


def run_lab(request: LabRequest, page: socket.socket | None, isolation: Isolation) -> int:
    """Run the lab, with its page at the socket `page`, and return the exit code of its last verdict. Raises LabError
    where the directory cannot be used, and FaultError where a fault cannot be injected."""
    if not isolation.namespaces:
        _report(
            f"no network namespaces: {isolation.reason}. All agents share this machine's loopback, which has no links: "
            "faults of links, of pod networks and of DNS by UDP cannot be shown"
        )
    plan = plan_lab(request.nodes, namespaces=isolation.namespaces, collectors=request.collectors, dns=request.dns)
    with LabWorld.build(plan, Directory(request.directory)) as world:
        mesh.start(world, request.compat, request.rates, page, judge=request.judge)
        faults = [parse(text, world.plan) for text in request.faults]
        if any(fault.act is Act.PROCESS for fault in faults):
            _await_agents(world)
        for fault in faults:
            world.apply(fault)
        address = "" if page is None or request.once else page_address(page)
        if address:
            _report(f"the page is at {address}")
        watch = LabWatch(world, request, address)
        with contextlib.suppress(KeyboardInterrupt):  # the usual way to end the live map
            asking.run_async(watch.run())
        for process in world.fallen:
            _report(f"{process.name} ended by itself (exit code {process.exit_code}): {_last_words(process.log)}")
        verdict = EXIT_CODES.get(watch.verdict.verdict, 2) if watch.verdict else 2
        return verdict or int(watch.refused)


class LabWatch:
    """Reads the agents until the verdict has settled, or until it is cancelled."""

    def __init__(self, world: LabWorld, request: LabRequest, page: str) -> None:
        """`page` is the URL of the page, empty where there is none."""
        self.verdict: Verdict | None = None
        self.refused = False
        self._world = world
        self._request = request
        self._page = page
        self._sources = [
            SnapshotSource(f"unix:{world.directory.agent_socket(member.name)}", member.name)
            for member in world.plan.members
        ]

    async def run(self) -> None:
        """Watch, and take orders at the same time."""
        async with listen(self._world.directory.control, self._obey):
            if self._request.once:
                await self._print(await self._settled())
                await self._try_rooms()
            else:
                await live(self._look, console(self._request.color), footer=self._footer)

    async def _look(self) -> Assessment:
        assessment = await assess(self._sources)
        self.verdict = assessment.verdict
        return assessment

    async def _settled(self) -> Assessment:
        now = SystemClock().mono
        slow = self._request.rates is mesh.Rates.DEFAULT
        settling = Settling(now(), quick=not self._request.faults, slow=slow)
        while True:
            assessment = await self._look()
            if settling.settled(now(), assessment.verdict):
                return assessment
            await asyncio.sleep(_PAUSE)

    async def _try_rooms(self) -> None:
        """Run the rooms' acceptance test, if there are rooms; `refused` says whether one failed."""
        name = self._request.compat
        found = await acceptance_failures(self._world, name) if name else {}
        for member, failure in found.items():
            self.refused = self.refused or bool(failure)
            if failure or not self._request.as_json:
                _report(f"{member}: {name}: {failure or 'accepted'}")

    async def _print(self, assessment: Assessment) -> None:
        if self._request.as_json:
            write_json(verdict_json(assessment.verdict, utc_stamp))
            return
        out = console(self._request.color)
        print_to(out, verdict_view(assessment.verdict, clock))
        if matrices := await assessment.matrices():
            out.print()
            print_to(out, MapView(matrices))

    def _obey(self, text: str) -> tuple[str, ...]:
        if text:
            self._world.apply(parse(text, self._world.plan))
        return tuple(fault.text for fault in self._world.faults)

    def _footer(self) -> str:
        broken = ", ".join(fault.text for fault in self._world.faults)
        fallen = ", ".join(process.name for process in self._world.fallen)
        parts = (f"broken: {broken}" if broken else "break something: kubesonar lab fault --help", "Ctrl-C ends")
        told = [f"told: {notice.sentence}" for notice in read_notices(self._world.directory.notices)[-1:]]
        page = (f"page: {self._page}",) if self._page else ()
        return "  |  ".join((*page, *told, *((f"ended by themselves: {fallen}",) if fallen else ()), *parts))


def _await_agents(world: LabWorld) -> None:
    """Wait until every agent has opened its ports: one that is stopped earlier looks gone, because the kernel completes
    no handshake for it. The socket of the API is the last that an agent opens."""
    clock = SystemClock()
    until = clock.mono() + _START
    sockets = [world.directory.agent_socket(member.name) for member in world.plan.members]
    sockets += [world.directory.collector_socket(server.name) for server in world.plan.of_role(Role.COLLECTOR)]
    while clock.mono() < until and not all(socket.exists() for socket in sockets):
        time.sleep(0.02)


def _last_words(log: Path) -> str:
    """Return the last line of a log."""
    lines: Sequence[str] = log.read_text(errors="replace").splitlines() if log.exists() else ()
    return lines[-1] if lines else "it said nothing"


def _report(text: str) -> None:
    sys.stderr.write(f"kubesonar lab: {text}\n")
