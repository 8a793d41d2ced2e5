"""An agent's ledger and sender on one side, a collector's intake on the other, over real sockets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kubesonar.core.telemetry.ledger import Ledger, LedgerOptions
from kubesonar.core.telemetry.reports.mirrors import MirrorOptions, Mirrors
from kubesonar.core.telemetry.reports.report import REPORT_PATH
from kubesonar.model import Check, Fault, Kind, Member, Network, Observation, Path
from kubesonar.net.clock import SystemClock
from kubesonar.reports.auth.reporter import AnyReporter, ReportAuthenticator
from kubesonar.reports.coordinator_target import CoordinatorTarget
from kubesonar.reports.intake import Intake, Succession
from kubesonar.reports.options import ReportOptions
from kubesonar.reports.sender import ReportSender
from kubesonar.web import Anonymous, LimitOptions, Listener, ListenOptions, Route, Router, Server
from tests.web.support import port_of

ME = Member("me", "node-1", ("127.0.0.1",), 7473, epoch=1)
CLOCK = SystemClock()


class Collecting:
    """A collector that only takes reports."""

    def __init__(
        self,
        authenticator: ReportAuthenticator | None = None,
        interval: float = 0.5,
        port: int = 0,
        succession: Succession | None = None,
    ) -> None:
        self.mirrors = Mirrors(MirrorOptions(interval=interval))
        self.intake = Intake(self.mirrors, authenticator or AnyReporter(), CLOCK, succession=succession)
        self.server = Server([])
        self.port = port

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Collecting]:
        """Listens meanwhile."""
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    async def start(self) -> None:
        """Listens, on the same port as before."""
        router = Router({REPORT_PATH: Route(self.intake.take, "", open=True, method="POST")}, Anonymous())
        options = ListenOptions(address=f"127.0.0.1:{self.port}")
        self.server = Server([Listener(options, router, LimitOptions(body=1 << 20))])
        await self.server.start()
        self.port = port_of(self.server)

    async def stop(self) -> None:
        """Listens no more."""
        await self.server.stop(0)

    @property
    def trials(self) -> int:
        """Trials that are known of the one agent."""
        snapshots = self.mirrors.collected(CLOCK.wall()).snapshots
        return sum(len(edge.trials) for snapshot in snapshots for edge in snapshot.edges)


class Reporting:
    """An agent that only reports."""

    def __init__(
        self, *ports: int, host: str = "127.0.0.1", coordinator: CoordinatorTarget | None = None, **options: object
    ) -> None:
        self.ledger = Ledger(ME, CLOCK.wall(), LedgerOptions())
        to = tuple(f"http://{host}:{port}" for port in ports)
        self.sender = ReportSender(
            ReportOptions(to=to, **options),  # type: ignore[arg-type]
            self.ledger,
            lambda: self.ledger.head(CLOCK.wall()),
            CLOCK,
            random.Random(1),
            coordinator,
        )

    def observe(self, count: int = 1, fault: Fault | None = None) -> None:
        """Makes trials of one edge."""
        for _ in range(count):
            check = Check("tcp/pod/peer", Kind.TCP, Path.POD, "peer", "10.0.0.2")
            self.ledger.add(Observation(check, "me", Network.POD, CLOCK.wall(), fault=fault, received=int(not fault)))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Reports meanwhile."""
        task = asyncio.create_task(self.sender.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.sender.close()
