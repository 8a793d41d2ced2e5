"""Members from the addresses of a headless Service, where the API server may not be asked or too many would ask it.

An answer holds addresses only. So a member is named by its address, which also stands for its node; zones and states
are unknown; every member is assumed to be in the asking agent's network and to answer on its port; and only one of two
families is used, because nothing says which two addresses belong to one pod. A DNS message ends at 64 KiB (RFC 1035,
section 4.2.2), a little over 4,000 IPv4 addresses.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import msgspec

from kubesonar.core.address import family_of, packed_address, unicast
from kubesonar.discovery.options import RosterOptions
from kubesonar.discovery.roster_builder import revision
from kubesonar.discovery.tombstones import Tombstones
from kubesonar.discovery.urgency import Urgency
from kubesonar.model import Fault, Member, Network, Roster, clip
from kubesonar.net.clock import SystemClock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver

QUESTIONS_PER_SECOND = 20.0
"""Questions that all agents together ask in a second, both families counted. More burdens the cluster's DNS servers."""

URGENT_DNS_PERIOD = 10.0
"""Longest pause between two look-ups of an agent to which they are urgent (s)."""

NEARLY_FULL = {4: 4000, 6: 2300}
"""Addresses of each family that fill a DNS message, at 16 or 28 bytes each behind a compressed name."""

_LACKS = "nodes, zones, states and a second address family are unknown: members come from DNS"


def dns_poll_period(poll: float, count: int) -> float:
    """Return the seconds between two look-ups of each of `count` members, at two questions each."""
    return max(poll, 2 * count / QUESTIONS_PER_SECOND)


class DnsRoster:
    """Looks a name up now and then and makes rosters of its addresses.

    `changed` is called with the first roster and with each that differs from the one before. `network` and `port` are
    those of the agent itself; `own` are its addresses, as far as they are known: members are known by the family of the
    first.
    """

    source = "dns"

    def __init__(
        self,
        options: RosterOptions,
        own: Sequence[str],
        network: Network,
        port: int,
        changed: Callable[[Roster], None],
        *,
        rng: random.Random,
        urgency: Urgency | None = None,
    ) -> None:
        self._urgency = urgency or Urgency()
        self._options = options.dns
        self._family = family_of(own[0]) if own else 0
        self._network = network
        self._port = port
        self._changed = changed
        self._rng = rng
        self._clock = SystemClock()
        self._resolver = Resolver()
        self._tombstones = Tombstones(options.linger)
        self._roster = Roster("", ())
        self._count = 0

    async def watch(self, why: str = "") -> None:
        """Look up for ever. `why` says, in `Roster.lacks`, why members do not come from a source that knows more.

        The first roster is published whatever was published at an earlier time.
        """
        self._roster = Roster("", ())
        lacks = f"{_LACKS} ({why})" if why else _LACKS
        while True:
            self._publish(await self._look(lacks))
            wait = dns_poll_period(self._options.poll, self._count) * self._rng.uniform(0.8, 1.2)
            if (due := self._tombstones.due) is not None:
                wait = min(wait, max(0.0, due - self._clock.mono()))
            await self._urgency.pause(wait, URGENT_DNS_PERIOD)

    async def count(self) -> int:
        """Return the number of members, 0 where it cannot be found out."""
        try:
            return len(await self._addresses())
        except Failed:
            return 0

    def close(self) -> None:
        """Cancel the look-up that runs, if any."""
        self._resolver.close()

    async def _look(self, lacks: str) -> Roster:
        try:
            addresses = await self._addresses()
        except Failed as failed:
            return msgspec.structs.replace(self._roster, stale=clip(f"DNS: {failed.detail}"), lacks=lacks)
        self._count = len(addresses)
        if self._count >= NEARLY_FULL[self._family]:
            lacks += "; not all of so many addresses may fit into one answer"
        members = self._tombstones.step(self._clock.mono(), map(self._member, addresses))
        return Roster(revision(members), members, lacks=clip(lacks))

    def _publish(self, roster: Roster) -> None:
        if roster != self._roster:
            self._roster = roster
            self._changed(roster)

    async def _addresses(self) -> list[str]:
        """Return the addresses of one family, which stays the same once it is found. Raises Failed."""
        with Deadline(self._options.timeout, self._clock) as deadline:
            found = unicast(await self._resolver.resolve(self._options.name, deadline, self._family))
        family = self._family or min(map(family_of, found), default=4)
        chosen = sorted((address for address in found if family_of(address) == family), key=packed_address)
        if not chosen:
            raise Failed(Fault.UNRESOLVED, f"{self._options.name} has no IPv{family} address that could be a member's")
        self._family = family
        return chosen

    def _member(self, address: str) -> Member:
        return Member(address, address, (address,), self._port, self._network)
