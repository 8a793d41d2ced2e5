"""The UDP port on which an agent answers probes and exchanges members' messages, with the keys of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kubesonar.config import ConfigError
from kubesonar.core.wire.codec import Sender
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.core.wire.keyring import Keyring
from kubesonar.model import Member
from kubesonar.net.udp.key_file import watch_key_file
from kubesonar.net.udp.responder import UdpResponder
from kubesonar.net.udp.train_records import TrainRecord
from kubesonar.net.watched_file import WatchedFile, reason_of

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
        self._keys = _open_keys(key_file)
        try:
            self.responder = UdpResponder(
                bind,
                me.port,
                me=lambda: self.sender.identity,
                ring=self.ring,
                publish=trains,
                speak=speak,
            )
        except OSError as error:
            where = f"member.bind, member.port: cannot answer on UDP port {me.port} of {', '.join(bind)}"
            raise ConfigError(f"{where}: {error.strerror}") from error

    @property
    def dropped(self) -> int:
        """Datagrams that were not answered so far."""
        return sum(count for what, count in self.responder.counters.items() if what not in _NO_DROP)

    @property
    def lost(self) -> int:
        """Members' datagrams among them: those that came faster than this process could or would take them."""
        return self.responder.lost()

    def become(self, me: Member, *, certain: bool) -> None:
        """Send and answer as the member that the roster knows, or that this one is `certain` to be."""
        self.sender.become(WireIdentity.of(me, certain))

    def ring(self) -> Keyring:
        """Return the keys in force."""
        return self._keys.value if self._keys else _UNKEYED

    def refresh_keys(self) -> None:
        """Read the key file again where it has changed; a bad one is logged and the keys before stay in force."""
        if self._keys:
            self._keys.get()

    def close(self) -> None:
        """Close the port."""
        self.responder.close()


_UNKEYED = Keyring()


def _open_keys(path: str) -> WatchedFile[Keyring] | None:
    try:
        return watch_key_file(path) if path else None
    except (OSError, ValueError) as error:
        raise ConfigError(f"keys.file: {path} cannot be used: {reason_of(error)}") from error
