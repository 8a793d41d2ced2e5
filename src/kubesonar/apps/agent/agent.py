"""The life of one agent: its parts are made in order, serve, and leave in order."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kubesonar.api.agent import agent_handler
from kubesonar.apps.agent.cluster import ClusterWatch
from kubesonar.apps.agent.endpoint import MemberEndpoint
from kubesonar.apps.agent.membership_service import MembershipService
from kubesonar.apps.agent.options import AgentOptions
from kubesonar.apps.agent.probers import Probers
from kubesonar.apps.agent.proxies import proxies_of
from kubesonar.apps.agent.roster_source import RosterSource
from kubesonar.apps.agent.view import LiveAgentView
from kubesonar.config import ConfigError
from kubesonar.core.address import bracketed
from kubesonar.core.probing.planner import CheckPlanner
from kubesonar.core.probing.schedule import TOGETHER, Schedule
from kubesonar.core.telemetry.ledger import Ledger
from kubesonar.discovery.effective_roster import EffectiveRoster
from kubesonar.discovery.options import CollectorAccess
from kubesonar.model import Roster
from kubesonar.net.clock import SystemClock
from kubesonar.net.http.url import parse_url
from kubesonar.net.own_addresses import loopback_of, without_missing_ipv6
from kubesonar.net.ticks import Ticks
from kubesonar.probes.loop import ProbeLoop
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.target_check import refuse_bad, refuse_bad_cluster
from kubesonar.probes.udp import TrainObserver
from kubesonar.runtime.self_monitor import SelfMonitor
from kubesonar.runtime.supervise import Supervisor
from kubesonar.web import Anonymous, BearerToken, Listener, ListenOptions, Server

if TYPE_CHECKING:
    from kubesonar.apps.agent.coordinator_collector import CoordinatorCollector
    from kubesonar.reports.coordinator_target import CoordinatorTarget
    from kubesonar.reports.sender import ReportSender

_LOG = logging.getLogger("kubesonar.agent")

_HOUSEKEEPING = 1.0
"""Seconds between two looks at the key file; longer, and a rotation takes as long to spread."""

_FORGET = 30
"""Looks at the key file between two of those for edges to forget; more, and edges of members that are gone show as long
as that."""


class Agent:
    """One agent. `leaving` is set once it leaves for good. To be made on the running loop. Raises ConfigError for
    targets that no probe could ask."""

    def __init__(self, options: AgentOptions, leaving: asyncio.Event | None = None) -> None:
        refuse_bad(options.targets)
        refuse_bad_cluster(options.cluster)
        self._options = options
        self._leave = asyncio.Event()
        self._leaving = leaving or asyncio.Event()
        self._clock = SystemClock()
        self._supervisor = Supervisor()
        now = self._clock.wall()
        self._ledger = Ledger(options.member.member(now), now, options.ledger)
        self._monitor = SelfMonitor(options.health, self._ledger, self._clock, self._throttled, self._lost)
        self._membership: MembershipService | None = None
        self._reports: ReportSender | None = None
        self._judging: CoordinatorCollector | None = None
        self._watching = False
        own = options.member
        self._roster = EffectiveRoster(own.own_addresses, self._roster_corrected, told=own.told)
        self._ledger.register(self._roster.started)

    async def run(self) -> None:
        """Serve and probe until SIGTERM or SIGINT, then leave in order. Raises ConfigError at the start where an
        address, a key or a token cannot be used."""
        self._supervisor.watch_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._leave.set)
        async with AsyncExitStack() as closing:
            bind = without_missing_ipv6(self._options.member.bind)
            if not bind:
                raise ConfigError("member.bind: this machine has no IPv6, expected an IPv4 address")
            self._open(bind, closing)
            await self._join(bind, closing)
            await self._serve(bind, closing)
        _LOG.info("left")

    def _open(self, bind: Sequence[str], closing: AsyncExitStack) -> None:
        """Make what probes and answers, each part after those that it needs; `closing` closes them in reverse."""
        options, ledger, monitor = self._options, self._ledger, self._monitor
        self._proxies = proxies_of(options, os.environ)
        told = options.roster.source == "collector"
        self._cluster = cluster = ClusterWatch(
            options.cluster, options.roster.kubernetes, options.member, os.environ, told=told
        )
        closing.callback(cluster.close)
        collectors = CollectorAccess(options.reports.to, options.reports.token_file, options.reports.ca_file)
        self._rosters = RosterSource(options.roster, options.member, os.environ, self._clock, collectors, cluster.tell)
        closing.callback(self._rosters.close)
        self._source = source = ProbeSource(ledger.member.name, ledger.member.network)
        self._trains = trains = TrainObserver(source, ledger.add)
        self._endpoint = endpoint = MemberEndpoint(
            ledger.member,
            bind,
            options.keys.file,
            options.udp.speak,
            trains.arrived,
            certain=bool(options.member.node),
        )
        closing.callback(endpoint.close)
        self._probers = probers = Probers(
            source,
            options.probers(),
            endpoint.sender,
            endpoint.ring,
            self._clock,
            cluster.terms,
            pods=cluster,
            proxies=self._proxies,
        )
        closing.callback(probers.close)
        closing.push_async_callback(self._supervisor.stop)
        self._planner = planner = CheckPlanner(options.planner(cluster.names, loopback_of(bind[0])))
        planner.found(cluster.dependencies.checks)
        schedule = Schedule(ledger.member.name, TOGETHER)
        self._loop = ProbeLoop(
            ledger, planner, probers.probes, schedule, self._supervisor, self._clock, monitor.lag, monitor.loopback
        )

    async def _join(self, bind: Sequence[str], closing: AsyncExitStack) -> None:
        """Make the membership, where it is switched on, and what it needs to judge."""
        if self._options.coordinator.judge:
            from kubesonar.apps.agent.collector_process import CollectorProcess
            from kubesonar.apps.agent.coordinator_collector import CoordinatorCollector

            process = CollectorProcess(self._options, bind, lambda: self._ledger.member)
            self._judging = CoordinatorCollector(process.run, self._clock)
        if self._options.membership.enabled:
            self._membership = MembershipService(
                self._options,
                self._ledger,
                self._endpoint,
                self._probers.pinger,
                self._probers.trains,
                self._supervisor,
                self._clock,
                self._monitor.lag,
                os.environ,
                self._proxies,
                self._coordinates,
                self._members_departed,
            )
            closing.push_async_callback(self._membership.stop)
            await self._membership.start()

    async def _serve(self, bind: Sequence[str], closing: AsyncExitStack) -> None:
        """Listen, probe until it is time to leave, and leave; others are answered for the grace period."""
        options, supervisor, membership = self._options, self._supervisor, self._membership
        families = membership.families if membership is not None else tuple
        self._view = view = LiveAgentView(
            options.metrics,
            self._ledger,
            self._clock,
            self._monitor,
            self._planner,
            self._rosters,
            self._dropped,
            families,
            lambda: self._endpoint.ring().ids,
            lambda: self._endpoint.sender.identity,
        )
        self._server = server = Server(self._listeners(view, bind))
        await server.start()
        closing.push_async_callback(server.stop, 1.0)
        self._report(closing)
        supervisor.run_forever("housekeeping", self._keep_house)
        supervisor.run_forever("self monitor", self._monitor.watch)
        supervisor.run_forever("roster", lambda: self._rosters.watch(self._roster_changed))
        _LOG.info("serving", extra={"member": self._ledger.member.name, "port": options.member.port})
        await self._leave.wait()
        view.leaving()
        if self._judging is not None:
            self._judging.elected(mine=False)
        self._loop.stop()
        if membership is not None:
            membership.leave(frozenset(self._trains.probers))
        self._leaving.set()
        grace = options.shutdown.grace
        _LOG.info("leaving: probing has stopped, others are still answered", extra={"grace": grace})
        await asyncio.sleep(grace)

    def _report(self, closing: AsyncExitStack) -> None:
        """Send reports, where there are collectors."""
        target = self._coordinator_target()
        if not self._options.reports.to and target is None:
            return
        from kubesonar.reports.sender import ReportSender  # agents without a collector save the memory
        from kubesonar.runtime.node_facts import NodeFactsReader

        hosts = dict.fromkeys(parse_url(text).host for text in self._options.reports.to)
        facts = NodeFactsReader(
            self._options.cluster.resolv_conf, [*hosts], self._clock, lambda: self._monitor.throttled_share
        )
        closing.callback(facts.close)
        self._reports = reports = ReportSender(
            self._options.reports,
            self._ledger,
            lambda: replace(self._view.head(), facts=facts.facts),
            self._clock,
            random.Random(),
            target,
        )
        closing.callback(reports.close)
        self._supervisor.run_forever("node facts", facts.run)
        self._supervisor.run_forever("reports", reports.run)
        if self._membership is not None:
            from kubesonar.reports.hand_over import NoticeHandOver

            collectors = NoticeHandOver(reports, lambda: self._ledger.member, self._clock)
            self._membership.hand_over_to(collectors)
            self._supervisor.run_forever("hand-over", collectors.run)

    def _coordinator_target(self) -> CoordinatorTarget | None:
        """Return where reports go in a mesh whose coordinator judges, and run that part of the coordinator's."""
        judging = self._judging
        if judging is None:
            return None
        from kubesonar.reports.coordinator_target import CoordinatorTarget

        ledger = self._ledger
        self._supervisor.run_forever("judging", judging.run)
        return CoordinatorTarget(
            lambda: judging.target(ledger.roster, ledger.coordinator),
            self._options.coordinator.port,
            self._endpoint.ring,
            self._clock,
        )

    def _coordinates(self, mine: bool) -> None:
        """Take note, at each election, whether this agent coordinates."""
        self._rosters.coordinates(mine)
        if self._judging is not None:
            self._judging.elected(mine)

    def _roster_changed(self, roster: Roster) -> None:
        self._roster.given(roster)
        self._pass_roster_on()

    def _pass_roster_on(self) -> None:
        """Tell all parts the roster, and as which member of it this agent goes from now on. The first one starts the
        watch of the cluster, which depends on how many agents there are."""
        roster, me = self._roster.at(self._clock.wall(), self._ledger.member)
        self._ledger.rename(me.name)
        self._source.rename(me.name)
        self._endpoint.become(me, certain=self._options.member.told or me in roster.members)
        self._probers.roster_changed(roster)
        self._trains.roster_changed(roster, me)
        self._loop.roster_changed(roster)
        if self._membership is not None:
            self._membership.roster_changed(roster, me)
        if self._judging is not None:
            self._judging.roster_changed(roster)
        self._cluster.agents(self._planner.figures.agents)
        if not self._watching:
            self._watching = True
            self._supervisor.run_forever("cluster", lambda: self._cluster.watch(self._loop.dependencies_changed))
        if not roster.stale:
            self._view.started()

    def _roster_corrected(self) -> None:
        """Pass the roster on anew, after what is at hand: members told this agent what its source does not know yet."""
        asyncio.get_running_loop().call_soon(self._pass_roster_on)

    def _members_departed(self, departed: frozenset[str]) -> None:
        """Expect these members (by identity) no more: they took their leave, which the roster does not know yet."""
        self._roster.departed(self._clock.wall(), departed)
        self._roster_corrected()

    def _throttled(self, share: float) -> None:
        if self._membership is not None:
            self._membership.throttled(share)

    def _lost(self) -> Mapping[str, int]:
        """Return how much of what others sent was dropped here so far: no loss of it is the network's."""
        return {
            "datagrams": self._endpoint.lost,
            "answers": self._probers.lost,
            "connections": self._server.lost,
        }

    def _dropped(self) -> Mapping[str, int]:
        return {
            "edges": self._ledger.dropped,
            "probes": self._loop.skipped,
            "crashes": self._supervisor.crashes,
            "requests": self._endpoint.dropped,
            "answers": self._probers.dropped,
            "strangers": self._trains.strangers,
            "reported trials": self._reports.dropped if self._reports is not None else 0,
        }

    async def _keep_house(self) -> None:
        beats = 0

        def keep(_late: float) -> None:
            nonlocal beats
            beats += 1
            self._endpoint.refresh_keys()
            if beats % _FORGET == 0:
                self._loop.forget()

        await Ticks.of(asyncio.get_running_loop()).each(_HOUSEKEEPING, keep)

    def _listeners(self, view: LiveAgentView, bind: Sequence[str]) -> list[Listener]:
        options = self._options
        authenticator = BearerToken(options.api.token_file) if options.api.token_file else Anonymous()
        handler = agent_handler(view, authenticator)
        own = [ListenOptions(address=f"{bracketed(host)}:{options.member.port}") for host in bind]
        return [Listener(listen, handler, options.api.limits) for listen in (*own, *options.api.listen)]
