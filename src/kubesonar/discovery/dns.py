"""Members from the addresses of a headless Service: what is left where the API server may not be asked, or would be
asked by too many.

An answer carries addresses only. So a member is named by its address, which is its node too; zones and states are
unknown, every member is taken to live in the asking agent's network and to answer on its port, and of two families
only one is used, because nothing says which two addresses are one pod's. A DNS message ends at 64 KiB (RFC 1035,
section 4.2.2), a little over 4,000 IPv4 addresses.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import msgspec

from kubesonar.core.address import family_of, packed_address, unicast
from kubesonar.discovery.haste import Haste
from kubesonar.discovery.options import RosterOptions
from kubesonar.discovery.roster_builder import revision
from kubesonar.discovery.tombstones import Departed
from kubesonar.model import Fault, Member, Network, Roster, clip
from kubesonar.net.clock import Clock, SystemClock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver

QUESTIONS_PER_SECOND = 20.0
"""What all agents together may ask the DNS servers (both families count)."""

FAST_DNS_POLL = 10.0
"""Longest pause between two look-ups of an agent in haste (s)."""

NEARLY_FULL = {4: 4000, 6: 2300}
"""So many addresses of one family fill a DNS message: 16 or 28 bytes each, behind a compressed name."""

_LACKS = "nodes, zones, states and a second address family are unknown: members come from DNS"


def dns_poll_period(poll: float, count: int) -> float:
    """Seconds between two look-ups of each of `count` members, two questions each."""
    return max(poll, 2 * count / QUESTIONS_PER_SECOND)


class DnsRoster:
    """Looks the name up again and again. `changed` is called with the first roster and with each that differs from the
    one before. `network` and `port` are those of the agent itself, `own` its addresses as far as they are known: the
    first tells which family members are known by."""

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
        clock: Clock | None = None,
        haste: Haste | None = None,
    ) -> None:
        self._haste = haste or Haste()
        self._options = options.dns
        self._family = family_of(own[0]) if own else 0
        self._network = network
        self._port = port
        self._changed = changed
        self._rng = rng
        self._clock = clock or SystemClock()
        self._resolver = Resolver()
        self._departed = Departed(options.linger)
        self._roster = Roster("", ())
        self._count = 0

    async def watch(self, why: str = "") -> None:
        """For ever. `why` says what speaks against a source that knows more."""
        lacks = f"{_LACKS} ({why})" if why else _LACKS
        while True:
            self._tell(await self._look(lacks))
            wait = dns_poll_period(self._options.poll, self._count) * self._rng.uniform(0.8, 1.2)
            due = self._departed.due
            await self._haste.pause(
                min(wait, max(0.0, due - self._clock.mono())) if due is not None else wait, FAST_DNS_POLL
            )

    async def count(self) -> int:
        """How many members there are; 0 where that cannot be found out."""
        try:
            return len(await self._addresses())
        except Failed:
            return 0

    def close(self) -> None:
        """Gives up a look-up that still runs."""
        self._resolver.close()

    async def _look(self, lacks: str) -> Roster:
        try:
            addresses = await self._addresses()
        except Failed as failed:
            return msgspec.structs.replace(self._roster, stale=clip(f"DNS: {failed.detail}"), lacks=lacks)
        self._count = len(addresses)
        if self._count >= NEARLY_FULL[self._family]:
            lacks += "; not all of so many addresses may fit into one answer"
        members = self._departed.step(self._clock.mono(), map(self._member, addresses))
        return Roster(revision(members), members, lacks=clip(lacks))

    def _tell(self, roster: Roster) -> None:
        if roster != self._roster:
            self._roster = roster
            self._changed(roster)

    async def _addresses(self) -> list[str]:
        """Those of one family, which once found stays the same. Raises Failed."""
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
