"""The table of an agent's probes by kind, and the sockets that they share."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import ExitStack

import msgspec

from kubesonar.core.wire.codec import Sender
from kubesonar.core.wire.keyring import Keyring
from kubesonar.model import Kind, Path, Roster
from kubesonar.net.clock import Clock
from kubesonar.net.http.proxy.environment import Proxies
from kubesonar.net.icmp.pinger import Pinger
from kubesonar.net.udp.train_sender import TrainSender
from kubesonar.probes.cautious import CautiousProbe, TargetListing
from kubesonar.probes.dns import DnsOptions, DnsProbe
from kubesonar.probes.http.http import HttpOptions, HttpProbe
from kubesonar.probes.http.terms import Terms
from kubesonar.probes.icmp import IcmpOptions, IcmpProbe
from kubesonar.probes.mtu import MtuOptions, MtuProbe
from kubesonar.probes.source import Probe, ProbeSource
from kubesonar.probes.target_identities import TargetIdentities
from kubesonar.probes.tcp import TcpOptions, TcpProbe
from kubesonar.probes.tls import TlsOptions, TlsProbe
from kubesonar.probes.udp import UdpOptions, UdpProbe

_SEARCH_PORTS = 2
"""Source ports of searches for an MTU: fewer, and one dead conntrack entry hides a path; more cost conntrack entries
for what is seldom done."""


class ProberOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of each kind of probe."""

    udp: UdpOptions
    mtu: MtuOptions
    tcp: TcpOptions
    tls: TlsOptions
    http: HttpOptions
    icmp: IcmpOptions
    dns: DnsOptions


class Probers:
    """Opens the shared sockets; `probes` is the table. `sender` and `ring` sign the datagrams, `terms` hold for single
    checks by id, `pods` tells when DNS pods were listed, `proxies` lead to external targets. To be
    made on the running loop; `close` it."""

    def __init__(
        self,
        source: ProbeSource,
        options: ProberOptions,
        sender: Sender,
        ring: Callable[[], Keyring],
        clock: Clock,
        terms: Mapping[str, Terms],
        pods: TargetListing,
        proxies: Proxies,
    ) -> None:
        self._closing = ExitStack()
        udp = options.udp
        ceiling = options.mtu.ceiling
        self.trains = TrainSender(sender, ring, ports=udp.ports, rebind=udp.rebind, speak=udp.speak, ceiling=ceiling)
        self._closing.callback(self.trains.close)
        self._searcher = TrainSender(sender, ring, ports=_SEARCH_PORTS, speak=udp.speak, ceiling=ceiling, at_once=True)
        self._closing.callback(self._searcher.close)
        self.pinger = Pinger()
        self._targets = targets = TargetIdentities()
        http = HttpProbe(source, options.http, terms=terms, proxies=proxies, targets=targets)
        dns = DnsProbe(source, options.dns, clock, random.SystemRandom())
        for closable in (self.pinger, http, dns):
            self._closing.callback(closable.close)
        self.probes: Mapping[Kind, Probe] = {
            Kind.UDP: UdpProbe(source, self.trains, udp, base=int(clock.wall()), targets=targets),
            Kind.MTU: MtuProbe(source, self.trains, self._searcher, options.mtu, targets),
            Kind.TCP: TcpProbe(source, options.tcp),
            Kind.TLS: TlsProbe(source, options.tls),
            Kind.HTTP: http,
            Kind.ICMP: IcmpProbe(source, self.pinger, options.icmp),
            Kind.DNS: CautiousProbe(dns, Path.DNS_POD, pods),
        }

    def roster_changed(self, roster: Roster) -> None:
        """Learn who is meant by the targets' names."""
        self._targets.roster_changed(roster)

    @property
    def dropped(self) -> int:
        """Answers to trains that were not taken so far."""
        return sum((self.trains.counters + self._searcher.counters).values())

    @property
    def lost(self) -> int:
        """Answers to trains and pings, among other datagrams, that the kernel dropped so far."""
        return self.trains.lost + self._searcher.lost + self.pinger.lost

    def close(self) -> None:
        """Close every socket."""
        self._closing.close()
