"""Who is who: ids as "node@ip", the address without its dots, ordered as strings."""

from __future__ import annotations

import msgspec

from kubesonar.core.address import bracketed


class Peer(msgspec.Struct, frozen=True):
    """A pod. `address` is where it listens."""

    id: str
    ip: str
    address: str

    @property
    def node_name(self) -> str:
        """What stands before the first "@" of its id."""
        return self.id.partition("@")[0]


def peer(node_name: str, ip: str, port: int) -> Peer:
    """The pod at `ip` on that node (empty where the API does not say which)."""
    return Peer(f"{node_name}@{ip.replace('.', '')}", ip, f"{bracketed(ip)}:{port}")


def outranks(one: str, other: str) -> bool:
    """Whether the first id is the greater: byte by byte, so that "node-9" outranks "node-10"."""
    return one.encode("utf-8", "surrogatepass") > other.encode("utf-8", "surrogatepass")
