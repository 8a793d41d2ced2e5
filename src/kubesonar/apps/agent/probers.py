"""What an agent probes and answers with: keys, engines, the responder, and the table of probes."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.config import ConfigError
from kubesonar.core.wire import codec
from kubesonar.core.wire.codec import Datagram, Keyring, Sender
from kubesonar.model import Kind, Member, Observation, Roster
from kubesonar.net.clock import Clock
from kubesonar.net.icmp.pinger import Pinger
from kubesonar.net.udp.key_file import watch_key_file
from kubesonar.net.udp.responder import UdpResponder
from kubesonar.net.udp.train_records import TrainRecord
from kubesonar.net.udp.train_sender import DatagramEngine
from kubesonar.net.watched_file import WatchedFile
from kubesonar.probes.dns import DnsProbe
from kubesonar.probes.http import HttpProbe
from kubesonar.probes.icmp import IcmpProbe
from kubesonar.probes.mtu import MtuProbe
from kubesonar.probes.source import Probe, ProbeSource
from kubesonar.probes.tcp import TcpProbe
from kubesonar.probes.terms import Terms
from kubesonar.probes.tls import TlsProbe
from kubesonar.probes.udp import UdpProbe, responder_observation

_LOG = logging.getLogger("kubesonar.agent")


class Tools:
    """Opens everything that probes; `probes` is the table by kind. Raises ConfigError when a key file or an address
    cannot be used. To be made on the running loop; `close` it."""

    def __init__(
        self,
        options: AgentOptions,
        me: Member,
        bind: Sequence[str],
        clock: Clock,
        observe: Callable[[Observation], None],
        terms: Mapping[str, Terms],
    ) -> None:
        self._source = ProbeSource(me.name, me.network)
        self._observe = observe
        self._names = {codec.identity(me.name): me.name}
        self._strangers = 0
        self._keys = _keys(options.keys.file)
        self.messages: Callable[[Datagram, str, int], None] | None = None
        """Gets members' messages, once somebody wants them."""
        self.astray: Callable[[bytes], None] | None = None
        """Gets the identities of others for whom messages come here."""
        identity = codec.identity(me.name)
        self.sender = sender = Sender(identity, me.epoch)
        udp = options.udp
        self._trains = DatagramEngine(sender, self.ring, ports=udp.ports, rebind=udp.rebind, speak=udp.speak)
        self._whole = DatagramEngine(sender, self.ring, ports=2, speak=udp.speak, whole=True)
        self.pinger = Pinger()
        self._responder = _responder(
            options, bind, identity, self.ring, self._train_arrived, self._message_arrived, self._message_astray
        )
        source = self._source
        self._http = HttpProbe(source, options.http, terms=terms)
        self._dns = DnsProbe(source, options.dns, clock, random.SystemRandom())
        self.probes: Mapping[Kind, Probe] = {
            Kind.UDP: UdpProbe(source, self._trains, udp, base=int(clock.wall())),
            Kind.MTU: MtuProbe(source, self._whole, options.mtu),
            Kind.TCP: TcpProbe(source, options.tcp),
            Kind.TLS: TlsProbe(source, options.tls),
            Kind.HTTP: self._http,
            Kind.ICMP: IcmpProbe(source, self.pinger, options.icmp),
            Kind.DNS: self._dns,
        }

    def roster_changed(self, roster: Roster) -> None:
        """Learns the names of those who may ask our responder."""
        names = (self._source.name, *(member.name for member in roster.members))
        self._names = {codec.identity(name): name for name in names}

    def refresh_keys(self) -> None:
        """Takes over a changed key file."""
        if self._keys:
            self._keys.get()

    def dropped(self) -> dict[str, int]:
        """Datagrams that the responder did not answer, answers that the engines did not take and trains of senders that
        the roster does not name, in few words."""
        asked, answers = self._responder.counters, self._trains.counters + self._whole.counters
        return {
            "requests": sum(count for what, count in asked.items() if what not in _NO_DROP),
            "answers": sum(answers.values()),
            "strangers": self._strangers,
        }

    def close(self) -> None:
        """Closes every socket."""
        self._responder.close()
        for engine in (self._trains, self._whole):
            engine.close()
        for closable in (self.pinger, self._http, self._dns):
            closable.close()

    def ring(self) -> Keyring:
        """The keys in force."""
        return self._keys.value if self._keys else _UNKEYED

    def send(self, data: bytes, address: str, port: int) -> bool:
        """Sends a member's message from the port on which we answer."""
        return self._responder.send(data, address, port)

    def _message_arrived(self, message: Datagram, address: str, port: int) -> None:
        if self.messages is not None:
            self.messages(message, address, port)

    def _message_astray(self, addressee: bytes) -> None:
        if self.astray is not None:
            self.astray(addressee)

    def _train_arrived(self, record: TrainRecord) -> None:
        peer = self._names.get(record.source)
        if peer is None:
            self._strangers += 1  # nobody could join what they sent; and anybody can make up any number of them
        elif peer != self._source.name:  # the train to our own loopback is the source's affair
            self._observe(responder_observation(record, self._source, self._names))


_NO_DROP = frozenset({"received", "answered", "held", "messages", "sent"})
_UNKEYED = Keyring()


def _keys(path: str) -> WatchedFile[Keyring] | None:
    try:
        return watch_key_file(path) if path else None
    except (OSError, ValueError) as error:
        raise ConfigError(f"keys.file: {path} cannot be used: {error}") from error


def _responder(
    options: AgentOptions,
    bind: Sequence[str],
    identity: bytes,
    ring: Callable[[], Keyring],
    publish: Callable[[TrainRecord], None],
    messages: Callable[[Datagram, str, int], None],
    astray: Callable[[bytes], None],
) -> UdpResponder:
    port = options.member.port
    try:
        return UdpResponder(
            bind,
            port,
            source=identity,
            ring=ring,
            publish=publish,
            messages=messages,
            astray=astray,
            speak=options.udp.speak,
        )
    except OSError as error:
        where = f"member.bind, member.port: cannot answer on UDP port {port} of {', '.join(bind)}"
        raise ConfigError(f"{where}: {error.strerror}") from error
