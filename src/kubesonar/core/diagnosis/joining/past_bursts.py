"""Bursts of loss in the past, as trains saw them: one datagram that was lost in a burst looks like faint loss."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from kubesonar.core.diagnosis.inference.persistence import BURST

_PEERS = 2
"""Other nodes with which a node must have lost whole trains for a burst to have struck the node. Fewer, and a dead node
makes a burst of all that others lose; more, and in a mesh of three nodes there is none."""


class PastBursts:
    """The times when trains lost more than faint loss does: `lost` are the two nodes between which each went, and
    when."""

    def __init__(self, lost: Iterable[tuple[frozenset[str], float]]) -> None:
        self._by_node: dict[str, list[tuple[float, str]]] = {}
        for nodes, at in lost:
            for node in nodes:
                self._by_node.setdefault(node, []).extend((at, peer) for peer in nodes - {node})
        for times in self._by_node.values():
            times.sort()

    def struck(self, source: str, targets: Iterable[str], at: float) -> bool:
        """Return whether a burst about that time struck one of these nodes, or what lies between the source and one of
        the targets."""
        others = {target for target in targets if target}
        peers = set(self._peers(source, at))
        return len(peers) >= _PEERS or any(
            node in peers or len({*self._peers(node, at)}) >= _PEERS for node in others - {source}
        )

    def _peers(self, node: str, at: float) -> Iterator[str]:
        """The nodes with which it lost trains about that time."""
        times = self._by_node.get(node, [])
        for when, peer in times[bisect_left(times, (at - BURST, "")) :]:
            if when > at + BURST:
                break
            yield peer
