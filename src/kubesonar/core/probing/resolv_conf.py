"""Reads a resolver's configuration (resolv.conf(5)); in a pod the kubelet writes it, with the cluster's domain."""

from __future__ import annotations

import re

import msgspec

_NAMESERVERS = 3
"""Name servers that are read; the C library ignores further ones (MAXNS, resolv.conf(5))."""

_SEARCH = 32
"""Names of the search list that are read; the kubelet refuses more (Kubernetes, "DNS for Services and Pods")."""

_NAME = re.compile(r"[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9_])?")


_MOST_DOTS = 15
"""Largest ndots; the C library takes more for this (resolv.conf(5))."""


class ResolvConf(msgspec.Struct, frozen=True):
    """Name servers and the search list, in their order, names in small letters without a final dot. A name with fewer
    than `ndots` dots is looked for in the search list first."""

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = 1

    @property
    def domain(self) -> str:
        """The cluster's domain: what follows "svc." in the search list. Empty outside a cluster."""
        for name in self.search:
            before, found, domain = f".{name}".partition(".svc.")
            if found and domain and before.count(".") <= 1:
                return domain
        return ""


def parse(text: str) -> ResolvConf:
    """Return what can be read of `text`; the last `search` or `domain` line counts, and the last ndots."""
    nameservers: list[str] = []
    search: tuple[str, ...] = ()
    ndots = 1
    for line in text.splitlines():
        words = line.split()
        match words[:1]:
            case ["nameserver"] if len(words) > 1:
                nameservers.append(words[1])
            case ["search" | "domain"]:
                names = (word.rstrip(".").lower() for word in words[1:])
                search = tuple(name for name in names if _NAME.fullmatch(name))[:_SEARCH]
            case ["options"]:
                dots = [word.removeprefix("ndots:") for word in words if word.startswith("ndots:")]
                ndots = next((min(int(dot[:9]), _MOST_DOTS) for dot in dots if dot.isascii() and dot.isdigit()), ndots)
    return ResolvConf(tuple(dict.fromkeys(nameservers))[:_NAMESERVERS], search, ndots)


def tried_names(conf: ResolvConf, name: str) -> int:
    """Return how many names a look-up of `name` asks for until it reaches `name` itself, if all before do not exist;
    each is asked for A and for AAAA."""
    if name.endswith(".") or name.count(".") >= conf.ndots:
        return 1
    return 1 + len(conf.search)
