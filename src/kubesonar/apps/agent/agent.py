"""An agent: the rooms put together, begun in order and left in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Iterable

import msgspec

from kubesonar import __version__
from kubesonar.api.agent import agent_handler
from kubesonar.apps.agent.check_planner import Planning
from kubesonar.apps.agent.cluster import ClusterWatch
from kubesonar.apps.agent.membership_service import MembershipService
from kubesonar.apps.agent.options import AgentOptions
from kubesonar.apps.agent.probe_loop import Mesh
from kubesonar.apps.agent.probers import Tools
from kubesonar.apps.agent.roster_source import RosterSource
from kubesonar.apps.agent.targets import refuse_bad, refuse_bad_cluster
from kubesonar.config import ConfigError
from kubesonar.core.address import bracketed
from kubesonar.core.probing.cluster_facts import Dependencies
from kubesonar.core.telemetry.ledger import Ledger
from kubesonar.core.telemetry.probe_counters import ProbeCounts
from kubesonar.core.telemetry.self_health import SelfHealth
from kubesonar.core.wire import codec
from kubesonar.discovery.self_lookup import recognise
from kubesonar.model import Kind, Member, Observation, Roster, Snapshot
from kubesonar.net.clock import SystemClock
from kubesonar.runtime import selfwatch
from kubesonar.runtime.supervise import Supervisor
from kubesonar.views.metrics.agent import AgentMetrics, Facts
from kubesonar.web import Anonymous, BearerToken, Listener, ListenOptions, Server

_LOG = logging.getLogger("kubesonar.agent")
_HOUSEKEEPING = 1.0
_RETAIN = 30
"""Beats of housekeeping between two looks for edges to forget."""


class Agent:
    """One agent, from `run` to its end; also the `api.agent.AgentView` of its API. `leaving` is set once it
    leaves for good. Raises ConfigError for targets that cannot be asked."""

    def __init__(self, options: AgentOptions, leaving: asyncio.Event | None = None) -> None:
        refuse_bad(options.targets)
        refuse_bad_cluster(options.cluster)
        self._options = options
        self._clock = SystemClock()
        self._ledger = Ledger(_myself(options, self._clock.wall()), self._clock.wall(), options.ledger)
        self._counts = ProbeCounts()
        self._ledger.register(self._counts)
        self._metrics = AgentMetrics(options.metrics)
        self._supervisor = Supervisor()
        self._state = "starting"
        self._worst_lag = 0.0
        self._following = False
        self._membership: MembershipService | None = None
        self._leave = asyncio.Event()
        self._leaving = leaving or asyncio.Event()
        self._again: AgentOptions | None = None

    async def run(self) -> AgentOptions | None:
        """Serves and probes until SIGTERM or SIGINT, then leaves in order. Raises ConfigError before it has begun when
        an address, a key or a token cannot be used. Where the roster knows this member by another name, everything
        that carries the name has to be made anew: then it ends at once with the options to begin again with."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave.set)
        options = self._options
        bind = _usable(options.member.bind)
        self._members = RosterSource(options, os.environ, self._clock, self._roster_changed)
        self._cluster = ClusterWatch(options, os.environ, self._dependencies_changed)
        self._planning = Planning(options, self._cluster.names)
        self._planning.dependencies = self._cluster.dependencies.checks
        self._tools = Tools(options, self._ledger.member, bind, self._clock, self._ledger.add, self._cluster.terms)
        try:
            self._mesh = Mesh(
                self._ledger,
                {**self._tools.probes, Kind.DNS: self._cluster.careful(self._tools.probes[Kind.DNS])},
                SelfHealth(options.health),
                self._supervisor,
                self._clock,
                options.schedule,
                self._planning,
                options.plan.udp,
                _own_address(bind[0]),
            )
            self._tools.astray = self._called_otherwise
            if options.membership.enabled:
                self._membership = MembershipService(
                    options,
                    self._ledger,
                    self._tools,
                    self._supervisor,
                    self._clock,
                    self._lag,
                    os.environ,
                    self._members.coordinates,
                )
                await self._membership.start()
            server = Server(self._listeners(bind))
            await server.start()
            try:
                await self._live()
            finally:
                await server.stop(1.0)
        finally:
            if self._membership is not None:
                await self._membership.stop()
            await self._supervisor.stop()
            self._tools.close()
            self._members.close()
            self._cluster.close()
        if self._again is None:
            _LOG.info("left")
        return self._again

    def snapshot(self) -> Snapshot:
        """All that is known now, with trials."""
        return self._ledger.snapshot(self._clock.wall())

    def latest(self) -> Iterable[Observation]:
        """The latest observation of every edge."""
        return self._ledger.latest()

    def metrics(self, *, openmetrics: bool) -> bytes:
        """The metrics, in one of the two text formats."""
        facts = selfwatch.process_usage()
        dropped = {"edges": self._ledger.dropped, "probes": self._mesh.skipped, "crashes": self._supervisor.crashes}
        lag, self._worst_lag = self._worst_lag, 0.0
        return self._metrics.render(
            self._ledger.snapshot(self._clock.wall(), trials=False),
            self._counts,
            Facts(
                __version__,
                facts.resident,
                facts.cpu,
                lag,
                self._mesh.troubles,
                dropped | self._tools.dropped(),
                self._members.source,
                self._members.stale_for,
                self._planning.in_force.agents,
                self._planning.in_force.conntrack,
                self._planning.in_force.periods,
            ),
            self._membership.families() if self._membership is not None else (),
            openmetrics=openmetrics,
        )

    def ready(self) -> str:
        """Why not: it starts, or it leaves."""
        return self._state

    def remarks(self) -> list[str]:
        """What is amiss with the roster, and what of the cluster cannot be checked."""
        return [*self._members.remarks, *self._ledger.lacks]

    async def _live(self) -> None:
        options = self._options
        self._supervisor.run_forever("housekeeping", self._keep_house)
        self._supervisor.run_forever("selfwatch", lambda: selfwatch.watch(self._clock, self._lag, self._mesh.throttled))
        self._supervisor.run_forever("roster", self._members.watch)
        _LOG.info("serving", extra={"member": self._ledger.member.name, "port": options.member.port})
        await self._leave.wait()
        self._state = "leaving"
        self._mesh.stop()
        if self._membership is not None:
            self._membership.leave()
        if self._again is not None:
            return
        self._leaving.set()
        _LOG.info("leaving: probing has stopped, others are still answered", extra={"grace": options.shutdown.grace})
        await asyncio.sleep(options.shutdown.grace)

    def _roster_changed(self, roster: Roster) -> None:
        if self._is_renamed(roster):
            return
        self._tools.roster_changed(roster)
        self._mesh.roster_changed(roster)
        if self._membership is not None:
            self._membership.roster_changed(roster)
        self._cluster.agents(self._planning.in_force.agents)
        if not self._following:  # how many agents there are decides whether this one may watch
            self._following = True
            self._supervisor.run_forever("cluster", self._cluster.watch)
        if self._state == "starting" and not roster.stale:
            self._state = ""

    def _dependencies_changed(self, found: Dependencies) -> None:
        for sentence in set(found.lost) - set(self._ledger.lacks):
            _LOG.warning("%s", sentence)
        self._ledger.lacks = found.lost
        if found.checks != self._planning.dependencies:
            self._planning.dependencies = found.checks
            self._mesh.replan()

    def _is_renamed(self, roster: Roster) -> bool:
        """Whether a roster that nobody wrote by hand has another name for us: others will know us by that."""
        me = self._options.member
        if self._members.source not in ("kubernetes", "dns"):
            return False
        found = recognise(roster, self._ledger.member.name, me.own_addresses, me.port)
        if found is None or found.name == self._ledger.member.name:
            return False
        _LOG.warning("the roster has another name for me: beginning again with it", extra={"member": found.name})
        roster_options = self._options.roster
        if self._members.source == "dns":  # and stays it: Kubernetes knows us by the name before
            roster_options = msgspec.structs.replace(roster_options, source="dns")
        self._again = msgspec.structs.replace(
            self._options,
            member=msgspec.structs.replace(me, name=found.name, node=me.node or found.node),
            roster=roster_options,
        )
        self._leave.set()
        return True

    def _called_otherwise(self, identity: bytes) -> None:
        """Somebody has a message for another than us, at our address."""
        own = self._options.member.own_addresses or self._ledger.member.addresses
        if identity in map(codec.identity, own):
            self._members.known_by_address()

    def _lag(self, late: float) -> None:
        self._worst_lag = max(self._worst_lag, late)
        self._mesh.lag(late)

    async def _keep_house(self) -> None:
        beats = 0
        while True:
            await asyncio.sleep(_HOUSEKEEPING)
            beats += 1
            self._mesh.calm()
            self._tools.refresh_keys()
            if beats % _RETAIN == 0:
                self._mesh.forget()

    def _listeners(self, bind: Iterable[str]) -> list[Listener]:
        options = self._options
        authenticator = BearerToken(options.api.token_file) if options.api.token_file else Anonymous()
        handler = agent_handler(self, authenticator)
        own = [ListenOptions(address=f"{bracketed(host)}:{options.member.port}") for host in bind]
        return [Listener(listen, handler, options.api.limits) for listen in (*own, *options.api.listen)]


def _myself(options: AgentOptions, now: float) -> Member:
    me = options.member
    name = me.name or socket.gethostname()
    return Member(
        name=name,
        node=me.node or name,
        addresses=(),
        port=me.port,
        network=me.network,
        zone=me.zone,
        epoch=int(now * 1000),
    )


def _own_address(host: str) -> str:
    """Where an agent that listens on `host` reaches itself, without leaving the machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _usable(addresses: Iterable[str]) -> list[str]:
    """Leaves out "::" where the kernel has no IPv6: a default must not keep an agent from starting."""
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
    except OSError:
        addresses = [address for address in addresses if address != "::"]
    usable = list(addresses)
    if not usable:
        raise ConfigError("member.bind: this machine has no IPv6, expected an IPv4 address")
    return usable
