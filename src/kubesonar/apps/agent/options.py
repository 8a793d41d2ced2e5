"""All options of an agent: those of each room, assembled into one tree."""

from __future__ import annotations

import socket
from enum import StrEnum
from typing import Annotated

import msgspec

from kubesonar.apps.agent.probers import ProberOptions
from kubesonar.core.address import bracketed, is_unicast
from kubesonar.core.membership.instance import MembershipOptions
from kubesonar.core.probing.budget import BudgetOptions
from kubesonar.core.probing.cluster_options import ClusterOptions
from kubesonar.core.probing.plan import PlanOptions, Target
from kubesonar.core.probing.planner import PlannerOptions
from kubesonar.core.probing.schedule import ScheduleOptions
from kubesonar.core.telemetry.ledger import LedgerOptions
from kubesonar.core.telemetry.self_health import SelfHealthOptions
from kubesonar.discovery.options import RosterOptions
from kubesonar.kube.lease_options import LeaseOptions
from kubesonar.model import COLLECTOR_PORT, MEMBER_PORT, Member, Network, Seconds, clip, is_name, printable
from kubesonar.net.http.url import is_origin
from kubesonar.notify.options import NotifyOptions
from kubesonar.probes.dns import DnsOptions
from kubesonar.probes.http.http import HttpOptions
from kubesonar.probes.icmp import IcmpOptions
from kubesonar.probes.mtu import MtuOptions
from kubesonar.probes.tcp import TcpOptions
from kubesonar.probes.tls import TlsOptions
from kubesonar.probes.udp import UdpOptions
from kubesonar.reports.options import ReportOptions
from kubesonar.runtime.logs import LogOptions
from kubesonar.views.metrics.agent import MetricsOptions
from kubesonar.web import LimitOptions, ListenOptions


class MemberOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The identity and the port of this agent. What the roster says of a member of this name goes before."""

    name: Annotated[
        str, msgspec.Meta(max_length=253, description="This member's name in the roster; empty: the host name.")
    ] = ""
    node: Annotated[str, msgspec.Meta(max_length=253, description="The node it runs on; empty: its name.")] = ""
    zone: Annotated[str, msgspec.Meta(max_length=253, description="The zone of that node.")] = ""
    addresses: Annotated[
        str,
        msgspec.Meta(
            max_length=1000,
            description="Its own addresses, with commas between, as the downward API gives status.podIPs; by them it "
            "finds itself in a roster that does not name it. Empty: found out.",
        ),
    ] = ""
    network: Annotated[Network, msgspec.Meta(description="The network it lives in: pod or host.")] = Network.POD
    bind: Annotated[
        tuple[str, ...],
        msgspec.Meta(min_length=1, max_length=16, description="Addresses on which it answers others, UDP and TCP."),
    ] = ("0.0.0.0", "::")
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535, description="Port on which it answers others.")] = MEMBER_PORT

    def __post_init__(self) -> None:
        if bad := [address for address in self.own_addresses if not is_unicast(address)]:
            raise ValueError(f'addresses holds "{clip(bad[0], 60)}", expected IP addresses with commas between')
        for field, text in (("name", self.name), ("node", self.node), ("zone", self.zone)):
            if text and not is_name(text):
                raise ValueError(f"{field}: expected printable characters, no space at an end")

    @property
    def told(self) -> bool:
        """Whether its name or its node is configured, so that it knows who it is without a roster."""
        return bool(self.name or self.node)

    @property
    def own_addresses(self) -> tuple[str, ...]:
        """`addresses`, one by one."""
        return tuple(text.strip() for text in self.addresses.split(",") if text.strip())

    def member(self, now: float) -> Member:
        """This member as it knows itself when it starts at `now` (Unix seconds), before a roster names it."""
        name = self.name or printable(socket.gethostname())
        return Member(
            name=name,
            node=self.node or name,
            addresses=(),
            port=self.port,
            network=self.network,
            zone=self.zone,
            epoch=int(now * 1000),
        )


class ProxyUse(StrEnum):
    """Whether the proxies of HTTP_PROXY, HTTPS_PROXY and NO_PROXY are used."""

    NONE = "none"
    ENVIRONMENT = "environment"


class KeyOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys that sign datagrams between members."""

    file: Annotated[
        str,
        msgspec.Meta(
            max_length=4096,
            description="File of lines `ID KEY`; the first signs, all are accepted; read again when it changes. "
            "Empty: datagrams carry a checksum only.",
        ),
    ] = ""


class ApiOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The HTTP API: always on the member's own port, and on these addresses too."""

    listen: Annotated[
        tuple[ListenOptions, ...], msgspec.Meta(max_length=16, description="Further listeners, as Unix sockets.")
    ] = ()
    token_file: Annotated[
        str,
        msgspec.Meta(
            max_length=4096,
            description="File of bearer tokens, one a line, that reads need; read again when it changes. Empty: none.",
        ),
    ] = ""
    limits: LimitOptions = LimitOptions()


_ADDRESS = "{address}"
"""Stands for the coordinator's address in the URL of its page."""


class CoordinatorOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Services of the elected coordinator to a mesh that has no collector. The same for all members."""

    judge: Annotated[
        bool,
        msgspec.Meta(
            description="In a mesh of up to 50 members the coordinator runs a collector beside itself, to which all "
            "report: it diagnoses, tells of incidents by notify.receivers, and serves API and page. Needs keys.file "
            "and no reports.to. Any agent may be elected, so each needs room for it (docs/membership.md)."
        ),
    ] = False
    port: Annotated[
        int, msgspec.Meta(ge=1, le=65_535, description="Port on which it takes reports and answers, by HTTP.")
    ] = COLLECTOR_PORT
    listen: Annotated[
        tuple[ListenOptions, ...],
        msgspec.Meta(max_length=15, description="Addresses at which it answers too, with TLS for instance."),
    ] = ()
    page_address: Annotated[
        str,
        msgspec.Meta(
            max_length=2048,
            description="URL at which people open the page of whoever coordinates, as https://HOST: notices and alerts "
            f"lead there. {_ADDRESS} in it stands for the coordinator's address. Empty: nowhere.",
        ),
    ] = ""

    def __post_init__(self) -> None:
        if self.page_address and not is_origin(self.page_at("192.0.2.1")):
            raise ValueError(
                f'page_address: got "{self.page_address[:80]}", expected http://HOST:PORT or https://HOST:PORT'
            )

    def page_at(self, address: str) -> str:
        """Return the URL of the page while the member at that address coordinates; empty where none is known."""
        if _ADDRESS in self.page_address and not address:
            return ""
        return self.page_address.replace(_ADDRESS, bracketed(address))


class ShutdownOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The end of an agent."""

    grace: Annotated[
        Seconds,
        msgspec.Meta(ge=0, le=300, description="After SIGTERM it stops probing and answers others for this long."),
    ] = 5.0


class AgentOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The configuration of `kubesonar agent`."""

    member: MemberOptions = MemberOptions()
    roster: RosterOptions = RosterOptions()
    schedule: ScheduleOptions = ScheduleOptions()
    plan: PlanOptions = PlanOptions()
    targets: Annotated[
        tuple[Target, ...], msgspec.Meta(max_length=1000, description="Plain targets that this agent checks too.")
    ] = ()
    cluster: ClusterOptions = ClusterOptions()
    budget: BudgetOptions = BudgetOptions()
    udp: UdpOptions = UdpOptions()
    mtu: MtuOptions = MtuOptions()
    tcp: TcpOptions = TcpOptions()
    tls: TlsOptions = TlsOptions()
    http: HttpOptions = HttpOptions()
    icmp: IcmpOptions = IcmpOptions()
    dns: DnsOptions = DnsOptions()
    keys: KeyOptions = KeyOptions()
    ledger: LedgerOptions = LedgerOptions()
    health: SelfHealthOptions = SelfHealthOptions()
    membership: MembershipOptions = MembershipOptions()
    coordinator: CoordinatorOptions = CoordinatorOptions()
    lease: LeaseOptions = LeaseOptions()
    notify: NotifyOptions = NotifyOptions()
    reports: ReportOptions = ReportOptions()
    api: ApiOptions = ApiOptions()
    metrics: MetricsOptions = MetricsOptions()
    log: LogOptions = LogOptions()
    shutdown: ShutdownOptions = ShutdownOptions()
    proxy: Annotated[
        ProxyUse,
        msgspec.Meta(
            description="How targets with a URL and path external, and receivers of notices, are reached: straight "
            "(none), or through the proxies of HTTP_PROXY, HTTPS_PROXY and NO_PROXY, read as Go reads them "
            "(environment)."
        ),
    ] = ProxyUse.NONE
    rooms: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            max_length=8,
            description="Older tools' listeners to open beside our own, by the tool's name; each is told by that "
            "tool's own environment variables.",
        ),
    ] = ()

    def __post_init__(self) -> None:
        if self.coordinator.judge and not self.keys.file:
            raise ValueError("coordinator.judge: expected keys.file, by whose keys members sign what they report")
        if self.coordinator.judge and self.reports.to:
            raise ValueError("coordinator.judge and reports.to: expected one of them, as a collector judges by itself")
        if self.coordinator.judge and not self.membership.enabled:
            raise ValueError("coordinator.judge: expected membership.enabled, as nobody is elected without")

    def probers(self) -> ProberOptions:
        """Return the options of the probes."""
        return msgspec.convert(self, ProberOptions, from_attributes=True)

    def planner(self, names: int, loopback: str) -> PlannerOptions:
        """Return the options of the plan; `names` and the address `loopback` as in `PlannerOptions`."""
        return PlannerOptions(
            plan=self.plan,
            targets=self.targets,
            budget=self.budget,
            neighbours=self.schedule.members,
            ports=self.udp.ports,
            rebind=self.udp.rebind,
            names=names,
            loopback=(loopback, self.member.port),
        )
