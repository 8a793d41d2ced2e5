"""The UDP port on which an agent answers probes and exchanges members' messages, with the keys of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kubesonar.config import ConfigError
from kubesonar.core.wire.codec import Datagram, Keyring, Sender
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.model import Member
from kubesonar.net.udp.key_file import watch_key_file
from kubesonar.net.udp.responder import UdpResponder
from kubesonar.net.udp.train_records import TrainRecord
from kubesonar.net.watched_file import WatchedFile, reason_of

MessageHandler = Callable[[Datagram, str, int], None]
"""Gets a member's message with the address and port that it came from."""

_NO_DROP = frozenset({"received", "answered", "held", "messages", "sent"})
"""Counters of the responder that count no drop."""


class MemberEndpoint:
    """Opens the port of the member `me` on each address of `bind`; `trains` gets the record of each train that came.
    `certain`: it knows who it is before a roster says so.
    Raises ConfigError where the key file or an address cannot be used. To be made on the running loop; `close` it."""

    def __init__(
        self,
        me: Member,
        bind: Sequence[str],
        key_file: str,
        speak: int,
        trains: Callable[[TrainRecord], None],
        *,
        certain: bool = True,
    ) -> None:
        self.sender = Sender(WireIdentity.of(me, certain), me.epoch)
        self.speak = speak
        self._keys = _open_keys(key_file)
        self._messages: MessageHandler | None = None
        try:
            self._responder = UdpResponder(
                bind,
                me.port,
                me=lambda: self.sender.identity,
                ring=self.ring,
                publish=trains,
                messages=self._message_arrived,
                speak=speak,
            )
        except OSError as error:
            where = f"member.bind, member.port: cannot answer on UDP port {me.port} of {', '.join(bind)}"
            raise ConfigError(f"{where}: {error.strerror}") from error

    @property
    def dropped(self) -> int:
        """Datagrams that were not answered so far."""
        return sum(count for what, count in self._responder.counters.items() if what not in _NO_DROP)

    @property
    def lost(self) -> int:
        """Members' datagrams among them: those that came faster than this process could or would take them."""
        return self._responder.lost()

    def become(self, me: Member, *, certain: bool) -> None:
        """Send and answer as the member that the roster knows, or that this one is `certain` to be."""
        self.sender.become(WireIdentity.of(me, certain))

    def deliver_to(self, messages: MessageHandler) -> None:
        """Hand members' messages to `messages` from now on; those before are dropped."""
        self._messages = messages

    def send(self, data: bytes, address: str, port: int) -> bool:
        """Send a member's message; return whether the kernel took it."""
        return self._responder.send(data, address, port)

    def ring(self) -> Keyring:
        """Return the keys in force."""
        return self._keys.value if self._keys else _UNKEYED

    def refresh_keys(self) -> None:
        """Read the key file again where it has changed; a bad one is logged and the keys before stay in force."""
        if self._keys:
            self._keys.get()

    def close(self) -> None:
        """Close the port."""
        self._responder.close()

    def _message_arrived(self, message: Datagram, address: str, port: int) -> None:
        if self._messages is not None:
            self._messages(message, address, port)


_UNKEYED = Keyring()


def _open_keys(path: str) -> WatchedFile[Keyring] | None:
    try:
        return watch_key_file(path) if path else None
    except (OSError, ValueError) as error:
        raise ConfigError(f"keys.file: {path} cannot be used: {reason_of(error)}") from error
