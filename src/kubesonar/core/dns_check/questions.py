"""The questions of one look: which servers, which names, by which transport.

A name that begins with "*." gets a new random label each time it is asked, so that no cache has the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from kubesonar.core.address import packed_address
from kubesonar.model import Open

PLAIN = 0
"""Payload of a question without EDNS0, as old resolvers ask."""

EDNS = 1232
"""Payload that questions with EDNS0 offer by UDP, in bytes: answers of that size pass every link unfragmented (DNS flag
day 2020)."""

LARGE_EDNS = 4096
"""Payload that the question for a large answer offers, in bytes: less, and the answer comes truncated and no fragment
is sent; more is refused by some servers."""

PAIRS = 4
"""Pairs of A and AAAA that one look sends through each virtual address. Fewer miss a race that hits one pair of ten in
most looks; more cost every DNS pod two questions each."""

SERVER_LIMIT = 64
"""Most servers asked in one look; the rest is left out and said so."""

NAMES_LIMIT = 3
"""Most further names that one look asks for; more would pass `QUESTION_LIMIT`."""

QUESTION_LIMIT = 20
"""Most questions of one look to one server, pairs apart. More load the DNS pods with what is asked to test them."""


Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
AskedType = Literal["A", "AAAA", "PTR", "CNAME", "NS", "SRV", "TXT", "MX", "SOA"]
"""Record types that a question may be of."""


class ServerRole(Open):
    """The role of a server: the Service's virtual address, a pod behind it, a cache on the node, an address outside the
    cluster that leads to the Service, a resolver that the cluster's DNS asks for outside names, or a server of which no
    more is known than its address."""

    SERVICE = "service"
    POD = "pod"
    CACHE = "cache"
    EXPOSED = "exposed"
    UPSTREAM = "upstream"
    SERVER = "server"
    OTHER = "other"


class AskedServer(msgspec.Struct, frozen=True, order=True):
    """A server to ask: an IP address with a port for each transport (0: not by that one). `node` is where it runs,
    empty where that is not known."""

    name: str
    role: ServerRole
    address: str
    udp: Port = 53
    tcp: Port = 53
    node: str = ""

    @property
    def fronts(self) -> bool:
        """Whether the address is a virtual one that leads to some DNS pod."""
        return self.role in (ServerRole.SERVICE, ServerRole.EXPOSED)


class AskPurpose(Open):
    """The purpose of a question: to find out whether the server answers for the cluster's own names (CLUSTER, MADE_UP,
    which no cache can know), headless and reverse names, names that somebody wants asked (NAMED), names outside
    (OUTSIDE), answers that do not fit one datagram (LARGE), both halves of one look-up (PAIR)."""

    CLUSTER = "cluster"
    MADE_UP = "made_up"
    HEADLESS = "headless"
    REVERSE = "reverse"
    NAMED = "named"
    OUTSIDE = "outside"
    LARGE = "large"
    PAIR = "pair"
    OTHER = "other"


class DnsAsk(msgspec.Struct, frozen=True):
    """One question. `payload` is what it offers by EDNS0 (0: no EDNS0), `mixed` has the case of its letters drawn by
    lot, `rcode` is the answer that is well, and `want` are data, in small letters, of which one must be in it (empty:
    any)."""

    purpose: AskPurpose
    name: str
    type: AskedType = "A"
    tcp: bool = False
    payload: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = EDNS
    mixed: bool = False
    rcode: str = "NOERROR"
    want: tuple[str, ...] = ()


class DnsNames(msgspec.Struct, frozen=True, kw_only=True):
    """The names to ask for. `domain` is the cluster's, without a final dot; `api` are the addresses of the Service
    kubernetes, `vips` those of the DNS Service, whose name is `service`; `headless`, `large` and `outside` are names,
    empty: not asked; `also` are further ones, of which `NAMES_LIMIT` are asked. `type` is the record type of the
    cluster's main family."""

    domain: str
    api: tuple[str, ...] = ()
    vips: tuple[str, ...] = ()
    service: str = ""
    headless: str = ""
    large: str = ""
    outside: str = ""
    also: tuple[str, ...] = ()
    type: AskedType = "A"


class AskPlan(msgspec.Struct, frozen=True):
    """All servers and all questions of one look; what each server is asked is `asks_for`. `timeout` is how long an
    answer is waited for (s)."""

    servers: tuple[AskedServer, ...]
    asks: tuple[DnsAsk, ...]
    timeout: Annotated[float, msgspec.Meta(gt=0, le=30)] = 2.0


def usual_asks(names: DnsNames) -> tuple[DnsAsk, ...]:
    """Return the questions of a look, those of pairs included."""
    cluster = f"kubernetes.default.svc.{names.domain}"
    made_up = f"*.default.svc.{names.domain}"
    asks = [
        DnsAsk(AskPurpose.CLUSTER, cluster, names.type, mixed=True, want=names.api),
        DnsAsk(AskPurpose.CLUSTER, cluster, names.type, payload=PLAIN, want=names.api),
        DnsAsk(AskPurpose.CLUSTER, cluster, names.type, tcp=True, want=names.api),
        DnsAsk(AskPurpose.MADE_UP, made_up, names.type, rcode="NXDOMAIN"),
        DnsAsk(AskPurpose.MADE_UP, made_up, names.type, tcp=True, rcode="NXDOMAIN"),
        *_both(AskPurpose.HEADLESS, names.headless, names.type),
        *(_reverse(names.vips[0], names.service) if names.vips else ()),
        *(ask for name in names.also[:NAMES_LIMIT] for ask in _both(AskPurpose.NAMED, name, names.type)),
        *_both(AskPurpose.OUTSIDE, names.outside, names.type),
        *_large(names.large, names.type),
        DnsAsk(AskPurpose.PAIR, cluster, names.type, payload=PLAIN),
    ]
    return tuple(asks)


def asks_for(server: AskedServer, asks: tuple[DnsAsk, ...]) -> Iterator[DnsAsk]:
    """Yield those of the questions that this server is asked: an upstream outside names only, only virtual addresses
    and caches pairs."""
    for ask in asks[: QUESTION_LIMIT + 1]:
        if server.role is ServerRole.UPSTREAM and ask.purpose is not AskPurpose.OUTSIDE:
            continue
        if ask.purpose is AskPurpose.PAIR and not (server.fronts or server.role is ServerRole.CACHE):
            continue
        if server.tcp if ask.tcp else server.udp:
            yield ask


def domain_asks(vip: str) -> tuple[DnsAsk, ...]:
    """Return the questions that find the cluster's domain: the reverse name of a Service's address is answered with
    that Service's name, which ends in the domain."""
    name = reverse_name(vip)
    return (DnsAsk(AskPurpose.REVERSE, name, "PTR"), DnsAsk(AskPurpose.REVERSE, name, "PTR", tcp=True))


def domain_in(name: str) -> str:
    """Return the cluster's domain in the name of a Service, "kube-dns.kube-system.svc.cluster.local", empty where it is
    none."""
    labels = name.rstrip(".").lower().split(".")
    return ".".join(labels[3:]) if len(labels) > 3 and labels[2] == "svc" else ""


def reverse_name(address: str) -> str:
    """Return the name whose PTR record names this address (RFC 1035, section 3.5; RFC 3596, section 2.5). Raises
    ValueError where it is no IP address."""
    packed = packed_address(address)
    if len(packed) == 4:
        return ".".join(str(byte) for byte in reversed(packed)) + ".in-addr.arpa"
    return ".".join(reversed(packed.hex())) + ".ip6.arpa"


def _both(purpose: AskPurpose, name: str, type: AskedType) -> Iterator[DnsAsk]:
    if name:
        yield DnsAsk(purpose, name, type)
        yield DnsAsk(purpose, name, type, tcp=True)


def _reverse(address: str, service: str) -> Iterator[DnsAsk]:
    yield DnsAsk(AskPurpose.REVERSE, reverse_name(address), "PTR", want=(service.lower(),) if service else ())


def _large(name: str, type: AskedType) -> Iterator[DnsAsk]:
    """Ask as old resolvers do, where the answer has to say that it is cut; in fragments; and by TCP."""
    if name:
        yield DnsAsk(AskPurpose.LARGE, name, type, payload=PLAIN)
        yield DnsAsk(AskPurpose.LARGE, name, type, payload=LARGE_EDNS)
        yield DnsAsk(AskPurpose.LARGE, name, type, tcp=True)
