"""Reads of a Corefile (https://coredns.io/manual/toc/#configuration) what tells a doctor where to look."""

from __future__ import annotations

import msgspec

from kubesonar.core.address import is_literal, read_port

COREFILE_LIMIT = 1 << 20
"""Longest Corefile that is read, in characters: that of the largest ConfigMap."""

_UPSTREAMS = 16
"""Most upstream servers that are taken; CoreDNS refuses more than 15."""


class Corefile(msgspec.Struct, frozen=True):
    """The zone of the plugin kubernetes, the cluster's domain (empty: none), the upstream servers to which names of "."
    are forwarded, as (address, port), and whether these are those of the node's own resolv.conf."""

    domain: str = ""
    upstreams: tuple[tuple[str, int], ...] = ()
    resolv_conf: bool = False


def parse(text: str) -> Corefile:
    """Return what can be read of `text`; what cannot is passed over. Of forwards only those in the block of "." count:
    in other blocks they are of single zones."""
    domain, upstreams, resolv_conf = "", list[tuple[str, int]](), False
    depth, root = 0, False
    for line in text[:COREFILE_LIMIT].splitlines():
        words = line.partition("#")[0].split()
        if depth == 0 and words:
            root = any(word.removesuffix("{").removeprefix("dns://").partition(":")[0] == "." for word in words)
        match words:
            case ["kubernetes", *zones] if depth == 1:
                domain = domain or next((zone.rstrip(".") for zone in zones if _is_forward_zone(zone)), "")
            case ["forward" | "proxy", ".", *targets] if depth == 1 and root:
                resolv_conf = resolv_conf or any(target.startswith("/") for target in targets)
                upstreams += filter(None, map(_server, targets))
        depth = max(0, depth + line.count("{") - line.count("}"))
    return Corefile(domain.lower(), tuple(dict.fromkeys(upstreams))[:_UPSTREAMS], resolv_conf)


def _is_forward_zone(zone: str) -> bool:
    return zone != "{" and not zone.rstrip(".").endswith(".arpa") and zone not in (".", "")


def _server(target: str) -> tuple[str, int] | None:
    """Return address and port of "10.0.0.2", "dns://10.0.0.2:53" or "[fd00::2]:53"; None for TLS and for files."""
    scheme, found, rest = target.partition("://")
    if found and scheme != "dns":
        return None
    host = rest if found else target
    if is_literal(host):
        return host, 53
    name, _, port = host.rpartition(":")
    name = name.removeprefix("[").removesuffix("]")
    number = read_port(port)
    return (name, number) if is_literal(name) and number else None
