"""The room: its parts put together, started and stopped in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from random import SystemRandom

from kubesonar.compat.knh.client import PeerClient
from kubesonar.compat.knh.election.bully import Bully
from kubesonar.compat.knh.election.events import (
    BullyAction,
    BullyEvent,
    Call,
    CallEnded,
    CheckSanity,
    CoordinatorChanged,
    CoordinatorClaim,
    NotifyCluster,
    NotifyPeer,
    PeersListed,
    SanityResult,
)
from kubesonar.compat.knh.election.identity import peer
from kubesonar.compat.knh.endpoints import KnhEndpoints
from kubesonar.compat.knh.peers import Peers
from kubesonar.compat.knh.roster import KnhRoster, ListedPeer
from kubesonar.compat.knh.sanity import SanityCheck
from kubesonar.compat.knh.settings import KnhSettings, knh_settings, mistaken_variables
from kubesonar.compat.knh.webhooks import StatusWebhooks
from kubesonar.config import ConfigError
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.credentials import Credentials
from kubesonar.kube.auth.loading_rules import find_credentials
from kubesonar.kube.client import Client
from kubesonar.net.clock import SystemClock
from kubesonar.net.http.proxy.environment import NO_PROXIES, Proxies
from kubesonar.runtime.drive import Drive
from kubesonar.runtime.supervise import Supervisor
from kubesonar.web import LimitOptions, Listener, ListenOptions, Server

_LOG = logging.getLogger("kubesonar.knh")
_LIMITS = LimitOptions(connections=1024, head=65_536, body=65_536, request=5.0, idle=75.0, response=5.0)
_TERMINATION = 1.0
"""Seconds between the signal to end and the end, so that the API shows this pod as terminating before it is gone:
shorter, its successor may take an orderly end for a death; longer, rollouts are slower."""

_GRACE = 5.0
"""Seconds at the end for webhooks that are not yet delivered."""


def open_knh(environ: Mapping[str, str]) -> KnhRoom:
    """Return the room that `environ` describes. Raises ConfigError."""
    settings = knh_settings(environ)
    for sentence in mistaken_variables(environ):
        _LOG.warning("%s", sentence)
    try:
        credentials = find_credentials(environ)
    except CredentialsError as error:
        raise ConfigError(f"the API server cannot be asked for peers: {error}") from None
    proxies = Proxies(environ)
    if proxies.trouble:
        _LOG.warning("%s; posts and the sanity check go straight to their targets", proxies.trouble)
    return KnhRoom(settings, credentials, proxies)


class KnhRoom:
    """One pod: it answers and calls other pods, and posts webhooks while it is the coordinator. Posts and the sanity
    check go through `proxies`, calls to other pods never."""

    def __init__(self, settings: KnhSettings, credentials: Credentials, proxies: Proxies = NO_PROXIES) -> None:
        self._settings = settings
        self._proxies = proxies
        self._credentials = credentials
        self._own = peer(settings.node_name, settings.pod_ip, settings.port)
        self._roster = KnhRoster(settings.pod_ip)
        self._bully = Bully(self._own, settings, checks=settings.sanity_url is not None)
        self._supervisor = Supervisor()
        self._clock = SystemClock()
        self._listed: tuple[list[ListedPeer], frozenset[str] | None] = ([], None)
        self._timer: asyncio.TimerHandle | None = None
        self._leaving = False

    @property
    def coordinator(self) -> str:
        """The id of the pod that this one takes for the coordinator; empty while it knows none."""
        return self._bully.coordinator

    async def run(self, leave: asyncio.Event) -> None:
        """Take part until `leave` is set. Raises ConfigError where an address or a file cannot be used."""
        settings, clock, rng = self._settings, self._clock, SystemRandom()
        self._webhooks = StatusWebhooks(settings, self._own, self._supervisor, clock, rng, self._proxies)
        self._caller = PeerClient(self._own.id, settings.pod_ip, settings.port)
        self._sanity = SanityCheck(settings.sanity_url, self._proxies) if settings.sanity_url else None
        self._drive: Drive[BullyEvent, BullyAction] = Drive(self._bully, clock, self._act, lambda _: None)
        client = Client(self._credentials, clock=clock)
        listen = ListenOptions(address=settings.listen or self._own.address)
        server = Server([Listener(listen, KnhEndpoints(self._heard), _LIMITS)])
        await server.start()
        try:
            await self._webhooks.start()
            self._supervisor.run_forever("peers", Peers(client, settings, self._found, rng).run)
            _LOG.info("serving", extra={"id": self._own.id, "listen": listen.address})
            await leave.wait()
            _LOG.info("leaving")
            await asyncio.sleep(_TERMINATION)
        finally:
            self._leaving = True
            if self._timer is not None:
                self._timer.cancel()
            self._drive.stop()
            await self._webhooks.stop(_GRACE)
            await self._supervisor.stop()
            await server.stop(1.0)
            client.close()
            if self._sanity is not None:
                self._sanity.close()

    def _take(self, event: BullyEvent) -> None:
        if not self._leaving:
            self._drive.feed(event)

    def _found(self, found: list[ListedPeer], terminating: frozenset[str] | None) -> None:
        self._listed = found, terminating
        self._update()

    def _update(self) -> None:
        before, now = self._roster.peers, self._clock.mono()
        self._roster.update(now, *self._listed)
        if self._timer is not None:
            self._timer.cancel()
        if self._roster.due is not None and not self._leaving:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, self._roster.due - now), self._update)
        if self._roster.peers != before:
            _LOG.info("peers: %d", len(self._roster.peers))
        self._take(PeersListed(tuple(self._roster.peers.values()), self._roster.found_myself))

    def _heard(self, id: str, ip: str, dead: list[str]) -> bool:
        if not self._bully.knows(id, ip):
            return False
        self._take(CoordinatorClaim(id, frozenset(dead)))
        return True

    def _act(self, action: BullyAction) -> None:
        if isinstance(action, Call):
            self._supervisor.run_once("call", self._call(action))
        elif isinstance(action, CheckSanity):
            self._supervisor.run_once("sanity check", self._ask_sanity())
        elif isinstance(action, NotifyPeer):
            word = "is back" if action.alive else "is dead"
            level = logging.INFO if action.alive else logging.WARNING
            _LOG.log(level, "%s %s", action.peer.id, word, extra={"address": action.peer.address})
            self._supervisor.run_once("tell of a peer", self._webhooks.peer(action))
        elif isinstance(action, NotifyCluster):
            self._supervisor.run_once("tell of the cluster", self._webhooks.cluster(action))
        elif isinstance(action, CoordinatorChanged):
            _LOG.info("coordinator: %s", action.id or "unknown")

    async def _call(self, call: Call) -> None:
        well = False
        try:
            well = await self._caller.answers(call)
        finally:
            self._take(CallEnded(call.number, well))

    async def _ask_sanity(self) -> None:
        failure = "the check was cancelled"
        try:
            failure = await self._sanity.failure() if self._sanity else ""
        finally:
            if failure:
                _LOG.error("SANITY_CHECK_URL cannot be reached: %s; nobody is told anything", failure)
            self._take(SanityResult(not failure))
