"""The life of one collector: its parts are made in order, serve, and leave in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import AsyncExitStack

from kubesonar import __version__
from kubesonar.api.collector import collector_handler
from kubesonar.apps.client.times import page_times
from kubesonar.apps.collector.cluster_watch import SharedClusterWatch
from kubesonar.apps.collector.judge import Judge
from kubesonar.apps.collector.judging_client import JudgingClient
from kubesonar.apps.collector.options import CollectorOptions
from kubesonar.apps.collector.replica import Replica
from kubesonar.apps.collector.replicas.succession import CoordinatorSuccession
from kubesonar.apps.collector.teller import IncidentTeller
from kubesonar.apps.collector.view import LiveCollectorView
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog, IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeBook
from kubesonar.core.probing.cluster_document import CLUSTER_PATH, ClusterDocument
from kubesonar.core.telemetry.reports.hand_over import HAND_OVER_PATH
from kubesonar.core.telemetry.reports.mirrors import Mirrors
from kubesonar.core.telemetry.reports.report import REPORT_PATH
from kubesonar.net.clock import SystemClock
from kubesonar.reports.auth.choice import report_authenticator
from kubesonar.reports.auth.reporter import RosterReporters
from kubesonar.reports.cluster_handout import ClusterHandout
from kubesonar.reports.hand_over_intake import HandOverIntake
from kubesonar.reports.intake import Intake
from kubesonar.reports.options import ReportAuthority
from kubesonar.runtime.supervise import Supervisor
from kubesonar.web import Anonymous, BearerToken, Listener, Route, Server

_LOG = logging.getLogger("kubesonar.collector")

_STOP = 2.0
"""Seconds that replies on their way have at the end."""


class Collector:
    """One collector. To be made on any thread; `run` it on a loop. `coordinates` tells that it is a coordinator's: the
    agents that report leave what it knows to its successor. Raises ConfigError where a file that the options name
    cannot be used."""

    def __init__(self, options: CollectorOptions, *, coordinates: bool = False) -> None:
        self._options = options
        self._coordinates = coordinates
        self._clock = SystemClock()
        self._supervisor = Supervisor()
        self._log = IncidentLog()
        self._mirrors = Mirrors(options.agents, edges=False)

    async def run(self, leave: asyncio.Event | None = None) -> None:
        """Take reports, judge and answer until SIGTERM or SIGINT, or until `leave` is set. Raises ConfigError at the
        start where an address, a certificate, a token or credentials cannot be used."""
        leave = leave or asyncio.Event()
        self._supervisor.watch_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, leave.set)
        async with AsyncExitStack() as closing:
            await self._serve(closing)
            await leave.wait()
            _LOG.info("leaving")
        _LOG.info("left")

    async def _serve(self, closing: AsyncExitStack) -> None:
        """Start all parts; `closing` stops them in reverse."""
        options, clock, supervisor = self._options, self._clock, self._supervisor
        replica = Replica(
            options, self._log, os.environ, clock, closing, self._succession if self._coordinates else None
        )
        succession = replica.succession
        watches = options.roster.source == "kubernetes"
        rostered = RosterReporters() if watches and options.reports.auth is ReportAuthority.NONE else None
        authenticator = rostered or report_authenticator(options.reports, os.environ, clock)
        judging = JudgingClient(options.agents, clock, self._mirrors.begin_anew)
        intake = Intake(self._mirrors, authenticator, clock, judging.feed, succession, lambda: judging.full)
        handout = ClusterHandout(authenticator)

        def publish(document: ClusterDocument) -> None:
            handout.publish(document)
            if rostered is not None:
                rostered.roster_changed(document.roster)

        if watches:
            watch = SharedClusterWatch(options.roster, os.environ, clock, publish)
            closing.callback(watch.close)
            supervisor.run_forever("cluster", watch.run)
        closing.push_async_callback(supervisor.stop)

        def changed(records: list[IncidentRecord]) -> None:
            teller.decided(records)
            view.tell(records)
            if succession is not None:
                succession.refresh()

        def begin() -> None:
            if succession is not None:
                teller.take_over(succession.take_over())

        teller = IncidentTeller(options.notify, options.cluster, options.page.address, replica, supervisor, clock)
        judge = Judge(judging, self._mirrors, self._log, clock, changed, replica.decides, begin)
        view = LiveCollectorView(
            self._mirrors,
            self._log,
            judge,
            judging,
            replica,
            teller,
            intake,
            clock,
            options.api.streams,
            options.page.address,
        )
        reader, pages = self._readers(view)
        reports = Route(intake.take, "takes reports of agents", open=True, method="POST")
        cluster = Route(handout.give, "the members and Services of the cluster, for agents", open=True)
        handed = HandOverIntake(authenticator, teller.hand_over)
        notices = Route(handed.take, "takes notices of coordinators", open=True, method="POST")
        more = {REPORT_PATH: reports, HAND_OVER_PATH: notices, CLUSTER_PATH: cluster, **replica.routes, **pages}
        handler = collector_handler(view, more, reader, __version__)
        replica.start(supervisor, closing, teller.tell)
        server = Server([Listener(listen, handler, options.api.limits) for listen in options.listen])
        await server.start()
        closing.push_async_callback(server.stop, _STOP)
        closing.callback(view.leaving)
        supervisor.run_forever("judging process", judging.run)
        supervisor.run_forever("judge", judge.run)
        _LOG.info("serving", extra={"addresses": ", ".join(str(address) for address in server.addresses)})

    def _succession(self, book: NoticeBook) -> CoordinatorSuccession:
        mirrors, clock = self._mirrors, self._clock

        def reporting() -> set[str]:
            return {one.member.name for one in mirrors.all()} - mirrors.unread(clock.wall()).keys()

        return CoordinatorSuccession(self._log, book, clock, reporting)

    def _readers(self, view: LiveCollectorView) -> tuple[Anonymous | BearerToken, dict[str, Route]]:
        """Return who may read, and the routes of the page, whose modules are imported where it is served only: an image
        of agents has no Jinja2."""
        token_file = self._options.api.token_file
        if not self._options.page.enabled:
            return BearerToken(token_file) if token_file else Anonymous(), {}
        from kubesonar.api.page import page_routes
        from kubesonar.api.page.access import TOKEN_COOKIE

        reader = BearerToken(token_file, cookie=TOKEN_COOKIE) if token_file else Anonymous()
        return reader, page_routes(view, reader, page_times())
