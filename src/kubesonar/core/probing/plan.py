"""Plans what a member checks: its neighbours on the ring by every kind that is switched on, plain targets, and
itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from kubesonar.core.address import bracketed, of_family
from kubesonar.core.hash_ring import Ring, same_network
from kubesonar.model import LARGE, Check, Kind, Member, Network, Path, Roster, Seconds, State

PROBE_PATH = "/healthz"
"""URL path of a member's http check; the agent answers it without looking at anything else."""

_OWN_PERIOD = 10.0
"""Seconds between two trains to the own loopback where udp checks are off; longer, and loss in this process is noticed
late."""


class Rhythm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The pace of one kind of check of each neighbour."""

    period: Annotated[
        Seconds, msgspec.Meta(ge=0, le=86_400, description="Time between two checks of one neighbour; 0: never.")
    ]
    timeout: Annotated[Seconds, msgspec.Meta(gt=0, le=60, description="How long an answer is waited for.")]


class PlanOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The checks that are made of other members, and how often. What the defaults cost a node is in docs/cost.md."""

    families: Annotated[
        tuple[int, ...],
        msgspec.Meta(min_length=1, max_length=2, description="Address families to probe: 4, 6 or both."),
    ] = (4, 6)
    udp: Rhythm = Rhythm(period=2.5, timeout=1.0)
    tcp: Rhythm = Rhythm(period=10.0, timeout=2.0)
    http: Rhythm = Rhythm(period=10.0, timeout=3.0)
    icmp: Rhythm = Rhythm(period=5.0, timeout=1.0)
    mtu: Rhythm = Rhythm(period=60.0, timeout=3.0)

    def __post_init__(self) -> None:
        if set(self.families) - {4, 6}:
            raise ValueError("families holds 4, 6 or both")


TargetName = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z")]


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A plain target: something that workloads depend on and that is no member."""

    name: Annotated[TargetName, msgspec.Meta(description="Its name in verdicts and metrics.")]
    kind: Annotated[Kind, msgspec.Meta(description="How to look: http, tcp, tls, icmp or dns.")]
    path: Annotated[Path, msgspec.Meta(description="Through what: service, ingress, api_direct, dns_pod, external …")]
    address: Annotated[str, msgspec.Meta(max_length=253, description="IP address or host name.")] = ""
    family: Annotated[
        int,
        msgspec.Meta(ge=0, le=6, description="4 or 6: only addresses of this family are tried; 0: whichever answers."),
    ] = 0
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535, description="Port; 0: that of the URL, or 53 for dns.")] = 0
    request: Annotated[
        str,
        msgspec.Meta(
            max_length=2048, description='URL (http), server name (tls) or "name TYPE [udp|tcp|large]" (dns).'
        ),
    ] = ""
    expect: Annotated[
        str, msgspec.Meta(max_length=64, description='What is well: "200", "200-299" (http), an rcode or NODATA (dns).')
    ] = ""
    trust: Annotated[str, msgspec.Meta(max_length=4096, description="File of CA certificates for TLS.")] = ""
    period: Annotated[Seconds, msgspec.Meta(ge=0.1, le=86_400, description="Time between two checks.")] = 10.0
    timeout: Annotated[Seconds, msgspec.Meta(gt=0, le=60, description="How long an answer is waited for.")] = 3.0

    def __post_init__(self) -> None:
        if self.kind not in _TARGET_KINDS:
            raise ValueError(f"a target's kind is one of {', '.join(_TARGET_KINDS)}")
        if self.path is Path.OTHER:
            raise ValueError(f"a target's path is one of {', '.join(path for path in Path if path is not Path.OTHER)}")
        if not self.address and self.kind is not Kind.HTTP:
            raise ValueError(f"a target of kind {self.kind} needs an address")
        if self.family not in (0, 4, 6):
            raise ValueError(f"a target's family is 4 or 6, or 0 for either, not {self.family}")
        if not self.port and self.kind in (Kind.TCP, Kind.TLS):
            raise ValueError(f"a target of kind {self.kind} needs a port")


_TARGET_KINDS = (Kind.HTTP, Kind.TCP, Kind.TLS, Kind.ICMP, Kind.DNS)
_MEMBER_KINDS = (Kind.UDP, Kind.TCP, Kind.HTTP, Kind.ICMP, Kind.MTU)


def plan(roster: Roster, me: Member, k: int, options: PlanOptions, targets: Iterable[Target]) -> list[Check]:
    """Return all checks of the member `me`: of `k` neighbours, most of them in its zone, and of `targets`. Members that
    are not serving are probed too: their answers show when they are back, and the diagnosis excuses their silence. A
    member without an address, and one that took its leave, is left out before the neighbours are chosen."""
    reachable = [member for member in roster.members if member.addresses and member.state is not State.LEAVING]
    neighbours = Ring(same_network(reachable, me.network)).mostly_of_zone(me, k)
    checks = [
        check
        for member in neighbours
        for family in options.families
        if (address := of_family(member.addresses, family)) is not None
        for check in _of_member(member, address, family, options)
    ]
    return checks + [of_target(target) for target in targets]


def _of_member(member: Member, address: str, family: int, options: PlanOptions) -> list[Check]:
    path = Path.HOST if member.network is Network.HOST else Path.POD
    checks = []
    for kind in _MEMBER_KINDS:
        rhythm: Rhythm = getattr(options, kind)
        if rhythm.period:
            checks.append(
                Check(
                    id=f"{kind}/{path}/{member.name}/v{family}",
                    kind=kind,
                    path=path,
                    target=member.name,
                    address=address,
                    port=0 if kind is Kind.ICMP else member.port,
                    period=rhythm.period,
                    timeout=rhythm.timeout,
                    request=_url(address, member.port) if kind is Kind.HTTP else "",
                )
            )
    return checks


def of_target(target: Target) -> Check:
    """Return the check that a plain target asks for."""
    transport = target.request.rsplit(" ", 1)[-1]
    suffix = transport if transport in ("udp", "tcp", LARGE) else "udp"
    return Check(
        id=f"{target.kind}/{target.path}/{target.name}"
        + (f"/{suffix}" if target.kind is Kind.DNS else "")
        + (f"/v{target.family}" if target.family else ""),
        kind=target.kind,
        path=target.path,
        target=target.name,
        address=target.address,
        port=target.port or (53 if target.kind is Kind.DNS else 0),
        period=target.period,
        timeout=target.timeout,
        request=target.request,
        expect=target.expect,
        trust=target.trust,
        family=target.family,
    )


def of_loopback(name: str, address: str, port: int, udp: Rhythm) -> Check:
    """Return the check of the member `name` of its own responder: a train, of which what is lost was lost by this
    process, not by the network."""
    return Check(
        id="udp/loopback/self",
        kind=Kind.UDP,
        path=Path.LOOPBACK,
        target=name,
        address=address,
        port=port,
        period=udp.period or _OWN_PERIOD,
        timeout=udp.timeout,
    )


def _url(address: str, port: int) -> str:
    return f"http://{bracketed(address)}:{port}{PROBE_PATH}"
