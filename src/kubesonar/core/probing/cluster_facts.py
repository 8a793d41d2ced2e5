"""Values: what was found around an agent in a cluster, and the checks that follow from it."""

from __future__ import annotations

import msgspec

from kubesonar.model import Check

_LINK_LOCAL = ("169.254.", "fe80:")
"""Prefixes of the addresses of caches on the node (NodeLocal DNSCache uses 169.254.20.10)."""

_NO_VIP = (*_LINK_LOCAL, "127.", "::1")


class ServiceEndpoint(msgspec.Struct, frozen=True):
    """An address and a port at which a Service answers."""

    address: str
    port: int


class DnsPod(msgspec.Struct, frozen=True, order=True):
    """One address of one DNS pod, its port for each transport (0: it does not serve that transport), and its node,
    where that is known."""

    name: str
    address: str
    udp: int = 53
    tcp: int = 53
    node: str = ""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """The findings around an agent. `api` is empty outside a cluster; `domain` where the search list has none;
    `nameservers` are the resolver's, `vips` the DNS Service's own addresses, `dns_pods` and `service` what the API
    server told. `lost` says what it did not tell, and why; `complete` is False while it has not answered yet."""

    node: str = ""
    api: ServiceEndpoint | None = None
    domain: str = ""
    nameservers: tuple[str, ...] = ()
    vips: tuple[str, ...] = ()
    dns_pods: tuple[DnsPod, ...] = ()
    service: tuple[ServiceEndpoint, ...] = ()
    lost: tuple[str, ...] = ()
    complete: bool = True

    @property
    def resolvers(self) -> tuple[str, ...]:
        """The name servers, where they are the cluster's and no cache on the node: addresses of the DNS Service."""
        return tuple(address for address in self._inside if not address.startswith(_NO_VIP))

    @property
    def caches(self) -> tuple[str, ...]:
        """The name servers that are caches on the node."""
        return tuple(address for address in self._inside if address.startswith(_LINK_LOCAL))

    @property
    def _inside(self) -> tuple[str, ...]:
        return self.nameservers if self.domain else ()


class Dependencies(msgspec.Struct, frozen=True):
    """The checks, with unique ids, and a sentence for each thing that is not checked."""

    checks: tuple[Check, ...] = ()
    lost: tuple[str, ...] = ()
