"""The life of one agent: its parts are made in order, serve, and leave in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack

import msgspec

from kubesonar.api.agent import agent_handler
from kubesonar.apps.agent.cluster import ClusterWatch
from kubesonar.apps.agent.endpoint import Endpoint
from kubesonar.apps.agent.membership_service import MembershipService
from kubesonar.apps.agent.options import AgentOptions
from kubesonar.apps.agent.probers import Probers
from kubesonar.apps.agent.roster_changes import RosterChanges
from kubesonar.apps.agent.roster_source import RosterSource
from kubesonar.apps.agent.view import LiveAgentView
from kubesonar.config import ConfigError
from kubesonar.core.address import bracketed
from kubesonar.core.probing.planner import CheckPlanner
from kubesonar.core.telemetry.ledger import Ledger
from kubesonar.core.wire import codec
from kubesonar.discovery.self_lookup import recognise
from kubesonar.model import Roster
from kubesonar.net.clock import SystemClock
from kubesonar.net.own_addresses import loopback_of, without_missing_ipv6
from kubesonar.probes.loop import ProbeLoop
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.target_check import refuse_bad, refuse_bad_cluster
from kubesonar.probes.udp import TrainObserver
from kubesonar.runtime.self_monitor import SelfMonitor
from kubesonar.runtime.supervise import Supervisor
from kubesonar.web import Anonymous, BearerToken, Listener, ListenOptions, Server

_LOG = logging.getLogger("kubesonar.agent")

_HOUSEKEEPING = 1.0
"""Seconds between two looks at the key file; longer, and a rotation takes as long to spread."""

_FORGET = 30
"""Looks at the key file between two of those for edges to forget; more, and edges of members that are gone show as long
as that."""


class Agent:
    """One agent. `leaving` is set once it leaves for good. Raises ConfigError for targets that no probe could ask."""

    def __init__(self, options: AgentOptions, leaving: asyncio.Event | None = None) -> None:
        refuse_bad(options.targets)
        refuse_bad_cluster(options.cluster)
        self._options = options
        self._leave = asyncio.Event()
        self._leaving = leaving or asyncio.Event()
        self._again: AgentOptions | None = None

    async def run(self) -> AgentOptions | None:
        """Serve and probe until SIGTERM or SIGINT, then leave in order and return None. Raises ConfigError at the
        start where an address, a key or a token cannot be used. Where the roster knows this member by another name it
        ends at once and returns the options of the life to begin with that name, which every part carries."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._leave.set)
        async with AsyncExitStack() as closing:
            await self._live(closing)
        if self._again is None:
            _LOG.info("left")
        return self._again

    async def _live(self, closing: AsyncExitStack) -> None:
        """Make all parts, each after those that it needs; `closing` closes them in the reverse order."""
        options, clock, supervisor = self._options, SystemClock(), Supervisor()
        bind = without_missing_ipv6(options.member.bind)
        if not bind:
            raise ConfigError("member.bind: this machine has no IPv6, expected an IPv4 address")
        ledger = Ledger(options.member.member(clock.wall()), clock.wall(), options.ledger)
        source = ProbeSource(ledger.member.name, ledger.member.network)
        membership: MembershipService | None = None

        def throttled(share: float) -> None:
            if membership is not None:
                membership.throttled(share)

        monitor = SelfMonitor(options.health, ledger, clock, throttled)
        cluster = ClusterWatch(options.cluster, options.roster.kubernetes, options.member, os.environ)
        closing.callback(cluster.close)
        rosters = RosterSource(options.roster, options.member, os.environ, clock)
        closing.callback(rosters.close)
        trains = TrainObserver(source, ledger.add)
        endpoint = Endpoint(
            ledger.member,
            bind,
            options.keys.file,
            speak=options.udp.speak,
            trains=trains.arrived,
            misdelivered=lambda identity: self._misdelivered(identity, ledger, rosters),
        )
        closing.callback(endpoint.close)
        probers = Probers(
            source,
            options.probers(),
            sender=endpoint.sender,
            ring=endpoint.ring,
            clock=clock,
            terms=cluster.terms,
            pods=cluster,
        )
        closing.callback(probers.close)
        closing.push_async_callback(supervisor.stop)
        planner = CheckPlanner(options.planner(cluster.names, loopback_of(bind[0])))
        planner.found(cluster.dependencies.checks)
        loop = ProbeLoop(
            ledger,
            planner,
            probers.probes,
            options.schedule,
            supervisor=supervisor,
            clock=clock,
            lag=monitor.lag,
            loopback=monitor.loopback,
        )
        if options.membership.enabled:
            membership = MembershipService(
                options,
                ledger,
                endpoint,
                probers.pinger,
                supervisor,
                clock,
                monitor.lag,
                os.environ,
                rosters.coordinates,
            )
            closing.push_async_callback(membership.stop)
            await membership.start()

        def dropped() -> Mapping[str, int]:
            return {
                "edges": ledger.dropped,
                "probes": loop.skipped,
                "crashes": supervisor.crashes,
                "requests": endpoint.dropped,
                "answers": probers.dropped,
                "strangers": trains.strangers,
            }

        families = membership.families if membership is not None else tuple
        view = LiveAgentView(options.metrics, ledger, clock, monitor, planner, rosters, dropped, families)
        followers = [trains.roster_changed, *([membership.roster_changed] if membership is not None else ())]
        changes = RosterChanges(ledger, planner, loop, cluster, supervisor, followers, view.started)

        def roster_changed(roster: Roster) -> None:
            if not self._is_renamed(roster, ledger.member.name, rosters.source):
                changes.roster_changed(roster)

        server = Server(self._listeners(view, bind))
        await server.start()
        closing.push_async_callback(server.stop, 1.0)
        supervisor.run_forever("housekeeping", lambda: _keep_house(endpoint, loop))
        supervisor.run_forever("self monitor", monitor.watch)
        supervisor.run_forever("roster", lambda: rosters.watch(roster_changed))
        _LOG.info("serving", extra={"member": ledger.member.name, "port": options.member.port})
        await self._leave.wait()
        view.leaving()
        loop.stop()
        if membership is not None:
            membership.leave()
        if self._again is None:
            self._leaving.set()
            _LOG.info(
                "leaving: probing has stopped, others are still answered", extra={"grace": options.shutdown.grace}
            )
            await asyncio.sleep(options.shutdown.grace)

    def _listeners(self, view: LiveAgentView, bind: Iterable[str]) -> list[Listener]:
        options = self._options
        authenticator = BearerToken(options.api.token_file) if options.api.token_file else Anonymous()
        handler = agent_handler(view, authenticator)
        own = [ListenOptions(address=f"{bracketed(host)}:{options.member.port}") for host in bind]
        return [Listener(listen, handler, options.api.limits) for listen in (*own, *options.api.listen)]

    def _is_renamed(self, roster: Roster, name: str, source: str) -> bool:
        """Return whether a roster that nobody wrote by hand has another name for this member; then the life ends."""
        me = self._options.member
        if source not in ("kubernetes", "dns"):
            return False
        found = recognise(roster, name, me.own_addresses, me.port)
        if found is None or found.name == name:
            return False
        _LOG.warning("roster name differs: restarting with it", extra={"member": found.name})
        roster_options = self._options.roster
        if source == "dns":  # and stays it: Kubernetes knows this member by the name before
            roster_options = msgspec.structs.replace(roster_options, source="dns")
        self._again = msgspec.structs.replace(
            self._options,
            member=msgspec.structs.replace(me, name=found.name, node=me.node or found.node),
            roster=roster_options,
        )
        self._leave.set()
        return True

    def _misdelivered(self, identity: bytes, ledger: Ledger, rosters: RosterSource) -> None:
        """Take note that a message at this member's address names it by that address, as rosters from DNS do."""
        own = self._options.member.own_addresses or ledger.member.addresses
        if identity in map(codec.identity, own):
            rosters.known_by_address()


async def _keep_house(endpoint: Endpoint, loop: ProbeLoop) -> None:
    beats = 0
    while True:
        await asyncio.sleep(_HOUSEKEEPING)
        beats += 1
        endpoint.refresh_keys()
        if beats % _FORGET == 0:
            loop.forget()
