"""Routes of DNS questions, from node-1 to a Service with a server on each of two nodes."""

from __future__ import annotations

from kubesonar.core.diagnosis.parts.traversal import Aspect, End, Traversal, Way
from kubesonar.model import Kind, Network, Path

HERE = End("dns-1", "node-1", "a")
THERE = End("dns-2", "node-2", "b")
SERVICE = End("dns-service", behind=(HERE, THERE))


def asked(network: Network, target: End = SERVICE, path: Path = Path.DNS_SERVICE) -> Traversal:
    source = End(f"node-1-{network.value}", "node-1", "a", network)
    return Traversal(source, target, Kind.DNS, path, Way.ROUND, Aspect.REACH, 53)
