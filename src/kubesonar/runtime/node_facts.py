"""Reads what seldom changes at this member: kernel, interfaces and resolver, in this process's network namespace."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence

from kubesonar.core.probing import resolv_conf
from kubesonar.model import InterfaceFacts, NodeFacts
from kubesonar.net.clock import Clock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.resolver_file import read_resolv_conf
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.kernel.interface_addresses import interface_addresses, interface_mtus
from kubesonar.net.ticks import Ticks
from kubesonar.net.watched_file import read_file

_PERIOD = 60.0
"""Seconds between two readings. Longer, and what changed is told late; shorter, and names are looked up more often."""

_LOOKUP = 5.0
"""Seconds for the look-up of one name: what the C library waits for one server."""

_ROOM = 65_536
"""Most bytes read of a file; more, and a wrong path costs memory."""

_MOST = 64
"""Most interfaces that are told, and addresses of one: a node has one for each of its pods. More, and a report grows by
100 bytes for each."""


class NodeFactsReader:
    """Keeps `facts` up to date once it `run`s. `names` are looked up by the system's resolver, `throttled` returns the
    latest share of CPU periods in which this process was throttled. `close` it."""

    def __init__(
        self,
        resolver_file: str,
        names: Sequence[str],
        clock: Clock,
        throttled: Callable[[], float],
        root: str = "/",
    ) -> None:
        self._resolver_file = resolver_file
        self._names = names
        self._clock = clock
        self._throttled = throttled
        self._resolver = Resolver()
        self._booted = _booted(root, clock)
        self._looked_up: dict[str, tuple[str, ...]] = {}
        self.facts = self._read()

    async def run(self) -> None:
        """Read again every minute, for ever."""
        ticks = Ticks.of(asyncio.get_running_loop())
        while True:
            self._looked_up = {name: await self._addresses(name) for name in self._names}
            self.facts = self._read()
            await ticks.sleep(_PERIOD)

    def close(self) -> None:
        """Give the resolver back; to be called once `run` has ended."""
        self._resolver.close()

    def _read(self) -> NodeFacts:
        resolver = _resolver(self._resolver_file)
        return NodeFacts(
            kernel=os.uname().release,
            booted=self._booted,
            interfaces=tuple(_interfaces()[:_MOST]),
            nameservers=resolver.nameservers,
            search=resolver.search,
            ndots=resolver.ndots,
            looked_up=self._looked_up,
            throttled=round(min(1.0, max(0.0, self._throttled())), 1),
        )

    async def _addresses(self, name: str) -> tuple[str, ...]:
        """Return the addresses of a name in an order that stays, none where it cannot be looked up."""
        try:
            with Deadline(_LOOKUP, self._clock) as deadline:
                return tuple(sorted(await self._resolver.resolve(name, deadline)))[:_MOST]
        except Failed:
            return ()


def _booted(root: str, clock: Clock) -> float:
    """Return when the node booted (whole Unix seconds), 0 where the kernel does not say."""
    try:
        return float(round(clock.wall() - float(read_file(f"{root}/proc/uptime", _ROOM).split()[0])))
    except (OSError, ValueError, IndexError):
        return 0.0


def _interfaces() -> list[InterfaceFacts]:
    try:
        addresses, mtus = interface_addresses(), interface_mtus()
    except OSError:
        return []
    return [InterfaceFacts(name[:_MOST], mtus[name], tuple(addresses.get(name, ())[:_MOST])) for name in sorted(mtus)]


def _resolver(path: str) -> resolv_conf.ResolvConf:
    try:
        return read_resolv_conf(path)
    except (OSError, ValueError):
        return resolv_conf.ResolvConf()
