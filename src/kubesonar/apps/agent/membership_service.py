"""An agent as a member among members: it watches some, follows or is the coordinator, and as such tells the outside."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from kubesonar.apps.agent.endpoint import MemberEndpoint
from kubesonar.apps.agent.lease_guard import LeaseGuard
from kubesonar.apps.agent.options import AgentOptions
from kubesonar.compat.formats import formats
from kubesonar.core.membership import notices
from kubesonar.core.membership.events import (
    Announce,
    Assembled,
    Delivered,
    Doubted,
    Elected,
    Leased,
    Leaving,
    MembershipAction,
    Throttled,
    WantLease,
)
from kubesonar.core.membership.instance import Membership
from kubesonar.core.telemetry.ledger import Ledger
from kubesonar.messaging.shell import MembershipShell
from kubesonar.model import Condition, Notice, Roster
from kubesonar.net.clock import Clock
from kubesonar.net.icmp.pinger import Pinger
from kubesonar.notify.log import LogNotifier
from kubesonar.notify.notifier import Notifiers
from kubesonar.notify.webhooks import Webhooks
from kubesonar.runtime.supervise import Supervisor
from kubesonar.views.metrics import membership, webhooks
from kubesonar.views.metrics.exposition import Metric, Series

_LOG = logging.getLogger("kubesonar.membership")


class MembershipService:
    """Begins when the first roster comes. `coordinates` hears, at each election, whether this is the coordinator.
    Raises ConfigError for receivers that cannot be told. To be made on the running loop; `start` it, and `stop` it
    before the supervisor."""

    def __init__(
        self,
        options: AgentOptions,
        ledger: Ledger,
        endpoint: MemberEndpoint,
        pinger: Pinger,
        supervisor: Supervisor,
        clock: Clock,
        lag: Callable[[float], None],
        environ: Mapping[str, str],
        coordinates: Callable[[bool], None],
    ) -> None:
        self._coordinates = coordinates
        self._ledger = ledger
        self._supervisor = supervisor
        self._clock = clock
        self._announced: Counter[Condition] = Counter()
        self._mine = False
        me = ledger.member
        self._machine = Membership(me.name, me.epoch, options.membership)
        self._shell = MembershipShell(
            me,
            self._machine,
            options.membership.election.order,
            sender=endpoint.sender,
            ring=endpoint.ring,
            send=endpoint.send,
            pinger=pinger,
            supervisor=supervisor,
            clock=clock,
            lag=lag,
            tell=self._tell,
        )
        endpoint.deliver_to(self._shell.arrived)
        self._webhooks = Webhooks(
            options.notify, formats(self._view), supervisor, clock, random.SystemRandom(), self._told
        )
        self._notifier = Notifiers([LogNotifier(), self._webhooks])
        if options.notify.receivers and not options.keys.file:
            _LOG.warning(
                "members' messages are not signed, as keys.file is empty: whoever reaches member.port can have members "
                "called dead, or deaths kept quiet"
            )
        self._guard = LeaseGuard(options, environ, me, supervisor, clock, self._leased)

    async def start(self) -> None:
        """Takes up what the outbox holds from before."""
        await self._webhooks.start()

    def roster_changed(self, roster: Roster) -> None:
        """Learns the members."""
        self._shell.roster_changed(roster)

    def throttled(self, share: float) -> None:
        """The cgroup throttled this process in that share (0 to 1) of its CPU periods: give others more time."""
        self._shell.event(Throttled(share))

    def leave(self) -> None:
        """Takes leave of the others: what follows is no death."""
        self._shell.event(Leaving())
        self._ledger.elected("")

    async def stop(self) -> None:
        """Watches nobody any more and closes the outbox."""
        self._shell.stop()
        await self._guard.close()
        await self._webhooks.stop()

    def families(self) -> Iterator[tuple[Metric, Series]]:
        """What /metrics shows of all this."""
        machine, now = self._machine, self._clock.mono()
        facts = membership.MembershipFacts(
            machine.coordinator,
            self._mine,
            machine.following(now)[0],
            machine.suspected,
            self._announced,
            self._shell.courier.counters,
        )
        yield from membership.membership_families(facts)
        yield from webhooks.webhook_families(self._webhooks.figures(), self._webhooks.trouble)

    def _view(self) -> tuple[Roster, Mapping[str, Condition]]:
        return self._ledger.roster, self._machine.conditions

    def _tell(self, action: MembershipAction) -> None:
        me, now = self._ledger.member, self._clock.wall()
        if isinstance(action, Elected):
            self._elected(action)
        elif isinstance(action, Announce):
            notice = notices.announced(action, self._ledger.roster, me.name, now)
            if notice is not None:
                self._notice(notice)
        elif isinstance(action, WantLease):
            self._guard.want(action.want)
        elif isinstance(action, Doubted):
            self._notice(notices.doubted(action, me, now))
        elif isinstance(action, Assembled):
            self._notice(notices.assembled(action, me, self._ledger.roster, now))

    def _elected(self, action: Elected) -> None:
        self._mine = action.mine
        self._coordinates(action.mine)
        self._ledger.elected(action.coordinator)
        other = "another member was elected coordinator" if action.coordinator else "no coordinator is elected"
        what = "elected coordinator" if action.mine else other
        _LOG.info(what, extra={"coordinator": action.coordinator})

    def _notice(self, notice: Notice) -> None:
        self._announced[notice.what] += 1
        self._supervisor.run_once(f"notice {notice.id}", self._notifier.notify(notice))

    def _leased(self, mine: bool | None) -> None:
        self._shell.event(Leased(mine))

    def _told(self, id: str) -> None:
        self._shell.event(Delivered(id))
