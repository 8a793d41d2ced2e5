"""The memory of a sender: the longest datagram that the own link and route take towards each address."""

from __future__ import annotations

from collections.abc import Callable

from kubesonar.net.kernel.route_mtu import route_mtu
from kubesonar.net.udp.train import HEADERS

LINK_MEMORY = 600.0
"""Seconds for which the MTU of a link is remembered. Longer, and a link that takes more is filled later; shorter, and
more sends fail only to find the same limit again."""

_ADDRESSES = 16_384


class LinkSizes:
    """The IP packet (bytes) to send to each address so that it fills the MTU: that of the `route` (0: none is known),
    `ceiling` at most, until the kernel has refused so much."""

    def __init__(self, ceiling: int, route: Callable[[str], int] = route_mtu) -> None:
        self._ceiling = ceiling
        self._route = route
        self._known: dict[str, tuple[int, float]] = {}

    def payload(self, address: str, family: int, now: float) -> int:
        """Return the UDP payload that fills the MTU, in bytes."""
        return self._packet(address, now) - HEADERS[family]

    def refused(self, address: str, mtu: int, now: float) -> bool:
        """Record that the link takes no more than `mtu` (bytes). Return whether that is less than was known."""
        if not 0 < mtu < self._packet(address, now):
            return False
        self._remember(address, mtu, now)
        return True

    def _packet(self, address: str, now: float) -> int:
        packet, until = self._known.get(address, (0, 0.0))
        if until <= now:
            packet = min(self._ceiling, self._route(address) or self._ceiling)
            self._remember(address, packet, now)
        return packet

    def _remember(self, address: str, packet: int, now: float) -> None:
        self._known.pop(address, None)
        self._known[address] = (packet, now + LINK_MEMORY)
        if len(self._known) > _ADDRESSES:
            del self._known[next(iter(self._known))]
