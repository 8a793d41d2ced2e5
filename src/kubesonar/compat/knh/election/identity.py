"""Ids of pods, as "node@ip" with the address without dots, and their order."""

from __future__ import annotations

import msgspec

from kubesonar.core.address import bracketed


class Peer(msgspec.Struct, frozen=True):
    """A pod; `address` is HOST:PORT of its listener."""

    id: str
    ip: str
    address: str

    @property
    def node_name(self) -> str:
        """The part of the id before the first "@"."""
        return self.id.partition("@")[0]


def peer(node_name: str, ip: str, port: int) -> Peer:
    """Return the pod at `ip` on that node (empty where the API does not name it)."""
    return Peer(f"{node_name}@{ip.replace('.', '')}", ip, f"{bracketed(ip)}:{port}")


def outranks(one: str, other: str) -> bool:
    """Whether the first id is greater, compared byte by byte: "node-9" outranks "node-10"."""
    return one.encode("utf-8", "surrogatepass") > other.encode("utf-8", "surrogatepass")
