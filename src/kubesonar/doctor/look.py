"""One look at a cluster's DNS: finds it, takes a standpoint, asks, and returns what came back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

import msgspec

from kubesonar.core.address import family_of
from kubesonar.core.dns.names import encode_name, longest_name
from kubesonar.core.dns_check.questions import AskedServer, AskPlan, DnsNames, domain_asks, domain_in, usual_asks
from kubesonar.core.dns_check.results import DnsLook, DnsResult, SearchCost
from kubesonar.core.dns_check.states import OWN_NAMES
from kubesonar.core.probing.resolv_conf import ResolvConf, tried_names
from kubesonar.doctor.direct import AskFailed
from kubesonar.doctor.dns_system import DnsSystem, find_dns
from kubesonar.doctor.helper_making import HelperWish
from kubesonar.doctor.servers import DnsTarget
from kubesonar.doctor.vantage import Scene, Standpoint, servers_from, take_standpoint
from kubesonar.kube.client import Client
from kubesonar.net.clock import Clock

_ASSUMED = "cluster.local"
"""The cluster domain of most clusters, where it cannot be found out."""

_FIND = 20.0
"""Seconds for finding DNS the first time; less fails slow API servers."""

_FIND_AGAIN = 3.0
"""Seconds for finding it again, after which what is known counts: more delays the look at a fault of DNS where the API
server is down too."""

_ASKED_FOR_DOMAIN = 4
"""Servers that are asked for the cluster's domain; the first that knows it is believed."""


_UNASKED = "the upstream servers are those of each node's resolv.conf and not asked: name them (--upstream)"

_KEPT = 60.0
"""Seconds for which what was found of DNS serves those who ask pods that they know themselves. Less burdens the API
server; more, and a changed port is noticed later."""


class LookOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of a look. `outside` is a name outside the cluster (empty: none is asked for), `also` are further
    names, `vantage` is the number of the standpoint (0: the best), `helper` what is wanted of a helper pod, `timeout`
    how long an answer is waited for (s)."""

    target: DnsTarget = DnsTarget()
    outside: str = "example.com"
    also: tuple[str, ...] = ()
    vantage: int = 0
    helper: HelperWish = HelperWish()
    timeout: float = 2.0


class Looker:
    """Looks at DNS as often as it is told to. `conf` is this machine's resolver, `inside` whether this process is a pod
    of the cluster, and `client` None where there is no API server to ask. `close` it: that
    closes the client too."""

    def __init__(
        self,
        client: Client | None,
        options: LookOptions,
        conf: ResolvConf,
        *,
        inside: bool,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._client = client
        self._options = options
        self._conf = conf
        self._inside = inside
        self._clock = clock
        self._rng = rng
        self._standpoint: Standpoint | None = None
        self._domain_said = ""
        self._found: tuple[float, DnsSystem] | None = None

    async def look(self) -> DnsLook:
        """Look once: DNS is found anew, since pods come and go, the standpoint is kept. While the API server does not
        answer, what it said last counts. Raises AskFailed where there is no standpoint, or nothing could be asked from
        it; the next look takes a standpoint anew."""
        system = await self._find()
        standpoint = await self._stand(system)
        try:
            return await self._from(standpoint, system)
        except AskFailed:
            await self._leave()
            raise

    async def ask_pods(self, pods: Iterable[AskedServer]) -> list[DnsResult]:
        """Ask these DNS pods for the cluster's own names, at the ports at which those in rotation answer. Raises
        AskFailed as `look` does, and where single pods are not reached from the standpoint."""
        system = await self._known()
        standpoint = await self._stand(system)
        if standpoint.number == 2:
            raise AskFailed("single DNS pods cannot be asked from standpoint 2, an address that leads to all of them")
        servers = servers_from(standpoint.number, system, self._inside)
        domain, _ = await self._domain(system, standpoint, servers)
        asks = tuple(ask for ask in usual_asks(_names(system, domain, self._options)) if ask.purpose in OWN_NAMES)
        port = self._options.target.port or 53
        udp, tcp = next(((pod.udp, pod.tcp) for pod in system.pods), (port, port))
        asked = tuple(msgspec.structs.replace(pod, udp=udp, tcp=tcp) for pod in pods)
        try:
            return await standpoint.asker.ask(AskPlan(asked, asks, self._options.timeout))
        except AskFailed:
            await self._leave()
            raise

    async def selector(self) -> tuple[str, str]:
        """Return the labels that select the DNS pods, as the API wants them, and where they are not known why."""
        system = await self._known()
        if system.selector:
            return system.selector, ""
        return "", "; ".join((*system.unknown, "the DNS Service was not found, or not which pods it selects"))

    async def close(self) -> None:
        """Leave the standpoint, and the API server."""
        await self._leave()
        if self._client is not None:
            self._client.close()

    async def _from(self, standpoint: Standpoint, system: DnsSystem) -> DnsLook:
        servers = (*servers_from(standpoint.number, system, self._inside), *standpoint.upstreams)
        domain, assumed = await self._domain(system, standpoint, servers)
        at = self._clock.wall()
        asks = usual_asks(_names(system, domain, self._options))
        asks = tuple(ask for ask in asks if _is_name(longest_name(ask.name)))
        results = await standpoint.asker.ask(AskPlan(servers, asks, self._options.timeout))
        unasked = [_UNASKED] if system.node_resolver and not standpoint.upstreams else []
        return DnsLook(
            at=at,
            vantage=standpoint.number,
            why=standpoint.why,
            results=tuple(results),
            inside=self._inside or standpoint.number != 1,
            untested=(*standpoint.untested, *standpoint.asker.untested),
            unknown=(*system.unknown, *assumed, *unasked),
            search=self._search(),
        )

    async def _known(self) -> DnsSystem:
        """Return DNS as it was found at most `_KEPT` seconds ago."""
        if self._found is None or self._clock.mono() - self._found[0] > _KEPT:
            return await self._find()
        return self._found[1]

    async def _find(self) -> DnsSystem:
        """Return DNS as it is, or as it was last, where the API server does not answer."""
        try:
            async with asyncio.timeout(_FIND_AGAIN if self._found else _FIND):
                system = await self._asked(self._client)
        except TimeoutError:
            system = None
        if system is None or not system.answered:
            if self._found is not None:
                before = self._found[1]
                unknown = *before.unknown, "the API server does not answer: what it said before is used"
                return msgspec.structs.replace(before, unknown=unknown)
            return system or await self._asked(None)
        self._found = self._clock.mono(), system
        return system

    async def _asked(self, client: Client | None) -> DnsSystem:
        exposed = not self._inside or self._options.vantage == 2
        return await find_dns(client, self._options.target, self._conf, inside=self._inside, exposed=exposed)

    async def _stand(self, system: DnsSystem) -> Standpoint:
        if self._standpoint is None:
            self._standpoint = await take_standpoint(self._scene(system), self._options.vantage)
        return self._standpoint

    async def _leave(self) -> None:
        if self._standpoint is not None:
            standpoint, self._standpoint = self._standpoint, None
            await standpoint.asker.close()

    def _scene(self, system: DnsSystem) -> Scene:
        return Scene(
            system=system,
            client=self._client,
            inside=self._inside,
            helper=self._options.helper,
            timeout=self._options.timeout,
            clock=self._clock,
            rng=self._rng,
        )

    async def _domain(
        self, system: DnsSystem, standpoint: Standpoint, servers: tuple[AskedServer, ...]
    ) -> tuple[str, tuple[str, ...]]:
        """Return the cluster's domain, and what has to be said of it."""
        if (known := system.domain or self._domain_said) and _is_name(known):
            return known, ()
        if system.vips:
            plan = AskPlan(servers[:_ASKED_FOR_DOMAIN], domain_asks(system.vips[0]), self._options.timeout)
            for result in await standpoint.asker.ask(plan):
                if (domain := next(filter(None, map(domain_in, result.said)), "")) and _is_name(domain):
                    self._domain_said = domain
                    return domain, ()
        return _ASSUMED, (f"the cluster domain was not found: {_ASSUMED} is assumed (--domain)",)

    def _search(self) -> SearchCost | None:
        name = self._options.outside
        if not name or not self._inside:
            return None
        return SearchCost(name, self._conf.ndots, self._conf.search, tried_names(self._conf, name))


def _is_name(name: str) -> bool:
    """Return whether a name that was found, in the API or in a file, can be asked for."""
    try:
        encode_name(name)
    except ValueError:
        return False
    return True


def _names(system: DnsSystem, domain: str, options: LookOptions) -> DnsNames:
    family6 = bool(system.api) and all(family_of(address) == 6 for address in system.api)
    return DnsNames(
        domain=domain,
        api=system.api,
        vips=system.vips,
        service=f"{system.name}.{system.namespace}.svc.{domain}",
        headless=system.headless,
        large=system.large,
        outside=options.outside,
        also=options.also,
        type="AAAA" if family6 else "A",
    )
