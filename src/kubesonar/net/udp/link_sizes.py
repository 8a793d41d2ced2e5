"""The memory of a sender: the longest datagram that the own link takes towards each address."""

from __future__ import annotations

from kubesonar.net.udp.train import HEADERS

LINK_MEMORY = 600.0
"""Seconds for which the MTU of a link is remembered. Longer, and a link that takes more is filled later; shorter, and
more sends fail only to find the same limit again."""

_ADDRESSES = 16_384


class LinkSizes:
    """The IP packet (bytes) to send to each address so that it fills the link's MTU: `ceiling`, until the kernel has
    refused so much."""

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._known: dict[str, tuple[int, float]] = {}

    def payload(self, address: str, family: int, now: float) -> int:
        """Return the UDP payload that fills the link, in bytes."""
        packet, until = self._known.get(address, (self._ceiling, now))
        return (packet if until > now else self._ceiling) - HEADERS[family]

    def refused(self, address: str, mtu: int, now: float) -> bool:
        """Record that the link takes no more than `mtu` (bytes). Return whether that is less than was known."""
        packet, until = self._known.pop(address, (self._ceiling, now))
        if not 0 < mtu < (packet if until > now else self._ceiling):
            return False
        self._known[address] = (mtu, now + LINK_MEMORY)
        if len(self._known) > _ADDRESSES:
            del self._known[next(iter(self._known))]
        return True
