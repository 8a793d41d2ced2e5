"""An agent as a member among members: it watches some and follows the coordinator, or is it and notifies receivers."""

from __future__ import annotations

import logging
import random
from collections import ChainMap, Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from kubesonar.apps.agent.endpoint import MemberEndpoint
from kubesonar.apps.agent.lease_guard import LeaseGuard
from kubesonar.apps.agent.options import AgentOptions
from kubesonar.config import ConfigError
from kubesonar.core.membership import notices
from kubesonar.core.membership.events import (
    Announce,
    Assembled,
    Delivered,
    Departed,
    Doubted,
    Elected,
    Leased,
    Leaving,
    MembershipAction,
    Remembered,
    RenewAlerts,
    Throttled,
    WantLease,
)
from kubesonar.core.membership.member_view import by_identity
from kubesonar.core.telemetry.ledger import Ledger
from kubesonar.messaging.open_claims import OpenClaimsFile
from kubesonar.messaging.shell import MembershipShell
from kubesonar.model import Condition, Member, Network, Notice, Roster
from kubesonar.net.clock import Clock
from kubesonar.net.http.proxy.environment import Proxies
from kubesonar.net.icmp.pinger import Pinger
from kubesonar.net.udp.train_sender import TrainSender
from kubesonar.notify.log import log_notice
from kubesonar.runtime.supervise import Supervisor
from kubesonar.views.metrics import membership, webhooks
from kubesonar.views.metrics.exposition import Metric, Series

if TYPE_CHECKING:
    from kubesonar.notify.webhooks import Webhooks
    from kubesonar.reports.hand_over import NoticeHandOver

_LOG = logging.getLogger("kubesonar.membership")
_MAX_DEPARTED = 1000
"""Most members that are remembered after they left the roster, for the notice that says so, and most notices that were
handed over, which are not renewed here."""


class MembershipService:
    """Runs membership on the agent's port, notifies the receivers of what it announces, and holds the Lease that guards
    it. `departed` is called with the members that took their leave (by identity) whenever these change. `proxies`
    lead to receivers. `coordinates` is called at each election with whether this member is the coordinator. Raises
    ConfigError for receivers or a Lease that cannot be used. To be made on the running loop; `start` it, and `stop`
    it before the supervisor."""

    def __init__(
        self,
        options: AgentOptions,
        ledger: Ledger,
        endpoint: MemberEndpoint,
        pinger: Pinger,
        trains: TrainSender,
        supervisor: Supervisor,
        clock: Clock,
        lag: Callable[[float], None],
        environ: Mapping[str, str],
        proxies: Proxies,
        coordinates: Callable[[bool], None],
        departed: Callable[[frozenset[str]], None],
    ) -> None:
        self._coordinates = coordinates
        self._took_leave = departed
        self._ledger = ledger
        self._supervisor = supervisor
        self._clock = clock
        self._announced: Counter[Condition] = Counter()
        self._cluster = options.cluster.name
        self._members: dict[str, Member] = {}
        self._departed: dict[str, Member] = {}
        self._networks: frozenset[Network] = frozenset()
        self._doubt: Notice | None = None
        if options.notify.receivers and not self._cluster:
            raise ConfigError("cluster.name: expected a name, because notify.receivers are told of which cluster")
        self._mine = False
        self._shell = MembershipShell(
            ledger.member,
            options.membership,
            endpoint.responder,
            endpoint.sender,
            pinger=pinger,
            trains=trains,
            supervisor=supervisor,
            clock=clock,
            lag=lag,
            act=self._act,
        )
        endpoint.responder.deliver_to(self._shell.transport.arrived)
        self._webhooks: Webhooks | None = None
        if options.notify.receivers or options.notify.directory:
            from kubesonar.compat.formats import formats
            from kubesonar.notify.webhooks import Webhooks  # agents without receivers save the memory

            self._webhooks = Webhooks(
                options.notify, formats(self._view), supervisor, clock, random.SystemRandom(), self._delivered, proxies
            )
        self._collectors: NoticeHandOver | None = None
        self._handed: dict[str, None] = {}
        if options.notify.receivers and not options.keys.file:
            _LOG.warning(
                "members' messages are not signed, as keys.file is empty: whoever reaches member.port can have members "
                "called dead, or deaths kept quiet"
            )
        self._kept = OpenClaimsFile(options.notify.directory, clock.wall)
        self._remembered = self._kept.load() if options.notify.receivers else ()
        self._guard = LeaseGuard(options, environ, ledger.member, supervisor, clock, self._leased)

    def hand_over_to(self, collectors: NoticeHandOver) -> None:
        """Let collectors tell receivers, as long as one answers."""
        self._collectors = collectors

    async def start(self) -> None:
        """Deliver what the outbox holds from before."""
        if self._webhooks is not None:
            await self._webhooks.start()

    def roster_changed(self, roster: Roster, me: Member) -> None:
        """Take over the members, and who this one is among them."""
        before, self._members = self._members, by_identity(roster.members)
        departed = self._departed | {id: member for id, member in before.items() if id not in self._members}
        self._departed = dict(list(departed.items())[-_MAX_DEPARTED:])
        self._networks = frozenset(member.network for member in self._members.values())
        self._shell.roster_changed(roster, me)
        if self._remembered and self._members:
            remembered, self._remembered = self._remembered, ()
            self._shell.feed(Remembered(remembered))

    def throttled(self, share: float) -> None:
        """Give others more time: the cgroup throttled this process in that share (0 to 1) of its CPU periods."""
        self._shell.feed(Throttled(share))

    def leave(self, probers: frozenset[str]) -> None:
        """Take leave of those that probed this one (by identity) or spoke with it lately, so that the silence that
        follows is no death."""
        self._shell.feed(Leaving(probers))
        self._ledger.elected("")

    async def stop(self) -> None:
        """Watch nobody any more, release the Lease and close the outbox."""
        self._shell.stop()
        await self._guard.close()
        if self._webhooks is not None:
            await self._webhooks.stop()

    def families(self) -> Iterator[tuple[Metric, Series]]:
        """The metrics of membership and of its notices."""
        machine, now = self._shell.machine, self._clock.mono()
        facts = membership.MembershipFacts(
            machine.coordinator,
            self._mine,
            machine.following(now),
            {network: network in machine.announces(now) for network in sorted(self._networks)},
            machine.suspected,
            self._announced,
            self._shell.transport.counters,
        )
        yield from membership.membership_families(facts)
        if self._webhooks is not None:
            yield from webhooks.webhook_families(self._webhooks.figures(), self._webhooks.trouble)

    def _view(self) -> tuple[Roster, Mapping[str, Condition]]:
        conditions = self._shell.machine.conditions
        return self._ledger.roster, {self._shell.name_of(id): what for id, what in conditions.items()}

    def _act(self, action: MembershipAction) -> None:
        me, roster, now = self._ledger.member, self._ledger.roster, self._clock.wall()
        if isinstance(action, Elected):
            self._elected(action)
        elif isinstance(action, Announce):
            notice = self._notice_of(action)
            if notice is not None:
                self._notify(notice)
            self._keep()
        elif isinstance(action, RenewAlerts):
            self._renew(action)
        elif isinstance(action, Departed):
            self._took_leave(action.members)
        elif isinstance(action, WantLease):
            self._guard.want(action.want)
        elif isinstance(action, Doubted):
            self._doubt = notices.doubted(action, me, now)
            self._notify(self._doubt)
        elif isinstance(action, Assembled):
            self._notify(notices.assembled(action, me, roster, now))

    def _elected(self, action: Elected) -> None:
        self._mine = action.mine
        self._coordinates(action.mine)
        name = self._shell.name_of(action.coordinator) if action.coordinator else ""
        self._ledger.elected(name)
        other = "another member was elected coordinator" if name else "no coordinator is elected"
        what = "elected coordinator" if action.mine else other
        _LOG.info(what, extra={"coordinator": name})
        if name and not action.mine:
            self._kept.save(())  # another one keeps it now

    def _keep(self) -> None:
        """Keep what is announced and has not ended, for the case that all agents are restarted at once."""
        if self._mine:
            self._kept.save(self._shell.machine.open_claims(self._clock.mono()))

    def _notice_of(self, action: Announce) -> Notice | None:
        members = ChainMap(self._members, self._departed)
        return notices.announced(action, members, self._ledger.member.name, self._clock.wall())

    def _renew(self, action: RenewAlerts) -> None:
        self._keep()
        doubt = self._doubt
        if doubt is not None:
            self._renew_notice(msgspec.structs.replace(doubt, at=self._clock.wall()))
        for announced in action.announced:
            notice = self._notice_of(announced)
            if notice is not None:
                self._renew_notice(notice)

    def _renew_notice(self, notice: Notice) -> None:
        if self._webhooks is not None and notice.id not in self._handed:
            self._webhooks.renew(self._named(notice))

    def _named(self, notice: Notice) -> Notice:
        return msgspec.structs.replace(notice, cluster=self._cluster)

    def _notify(self, notice: Notice) -> None:
        notice = self._named(notice)
        self._announced[notice.what] += 1
        self._supervisor.run_once(f"notice {notice.id}", self._tell(notice))

    async def _tell(self, notice: Notice) -> None:
        """Log a notice, and have a collector tell receivers of it, or tell them."""
        log_notice(notice)
        handed = self._collectors is not None and await self._collectors.taken(notice)
        if handed:
            self._handed[notice.id] = None
            if len(self._handed) > _MAX_DEPARTED:
                del self._handed[next(iter(self._handed))]
        if self._webhooks is None:
            self._delivered(notice.id)
        else:
            await self._webhooks.notify(notice, handed=handed)

    def _leased(self, mine: bool | None) -> None:
        self._shell.feed(Leased(mine))

    def _delivered(self, id: str) -> None:
        self._shell.feed(Delivered(id))
