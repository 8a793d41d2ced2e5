"""All options of a collector: those of each room, assembled into one tree."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from kubesonar.apps.collector.replicas.options import ReplicaOptions
from kubesonar.core.probing.cluster_options import ClusterDnsOptions
from kubesonar.core.telemetry.reports.mirrors import MirrorOptions
from kubesonar.discovery.options import KubernetesOptions
from kubesonar.model import COLLECTOR_PORT, Seconds
from kubesonar.net.http.url import is_origin
from kubesonar.notify.options import NotifyOptions
from kubesonar.reports.options import IntakeOptions
from kubesonar.runtime.logs import LogOptions
from kubesonar.web import LimitOptions, ListenOptions


class StoreKind(StrEnum):
    """The kind of store in which a collector keeps what outlives it."""

    SQLITE = "sqlite"
    ETCD = "etcd"
    KUBERNETES = "kubernetes"
    MEMORY = "memory"

    @property
    def shared(self) -> bool:
        """Whether several collectors may use one such store."""
        return self in (StoreKind.ETCD, StoreKind.KUBERNETES)


_File = Annotated[str, msgspec.Meta(max_length=4096)]


class CollectorEtcdOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The way to etcd. A member with https is always verified."""

    endpoints: Annotated[
        tuple[str, ...],
        msgspec.Meta(max_length=16, description="URLs of etcd's members, as http://HOST:PORT or https://HOST:PORT."),
    ] = ()
    tree: Annotated[
        str, msgspec.Meta(pattern=r"^[A-Za-z0-9._/-]{1,200}\Z", description="What all keys begin with.")
    ] = "kubesonar"
    ca_file: Annotated[_File, msgspec.Meta(description="CA certificates to trust (PEM); empty: the system's.")] = ""
    cert_file: Annotated[_File, msgspec.Meta(description="Client certificate to show to etcd (PEM).")] = ""
    key_file: Annotated[_File, msgspec.Meta(description="Its key (PEM).")] = ""
    user: Annotated[
        str, msgspec.Meta(max_length=253, description="User, where etcd's authentication is on; empty: none.")
    ] = ""
    password_file: Annotated[_File, msgspec.Meta(description="File with that user's password.")] = ""

    def __post_init__(self) -> None:
        for text in self.endpoints:
            if not is_origin(text):
                raise ValueError(f'endpoints: got "{text[:80]}", expected http://HOST:PORT or https://HOST:PORT')
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("cert_file and key_file: expected both or none")
        if bool(self.user) != bool(self.password_file):
            raise ValueError("user and password_file: expected both or none")


class CollectorStoreOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The store of incidents, how much of them it keeps and how long."""

    kind: Annotated[
        StoreKind,
        msgspec.Meta(
            description="sqlite: a file in `directory`; etcd: version 3; kubernetes: custom resources in the pod's "
            "namespace, at most 500 incidents; memory: nothing outlives the process."
        ),
    ] = StoreKind.MEMORY
    directory: Annotated[str, msgspec.Meta(max_length=4096, description="Directory of the SQLite file.")] = ""
    size: Annotated[
        int, msgspec.Meta(ge=1 << 20, le=1 << 40, description="Most bytes that sqlite and memory keep.")
    ] = 256 << 20
    etcd: CollectorEtcdOptions = CollectorEtcdOptions()
    kubeconfig: Annotated[
        _File,
        msgspec.Meta(description="Kubeconfig for kind kubernetes; empty: the pod's service account."),
    ] = ""
    retention: Annotated[
        Seconds, msgspec.Meta(ge=3600, le=1e9, description="Closed incidents are kept for this long.")
    ] = 30 * 86_400.0

    def __post_init__(self) -> None:
        if self.kind is StoreKind.SQLITE and not self.directory:
            raise ValueError("directory: expected a directory, because kind is sqlite")
        if self.kind is StoreKind.ETCD and not self.etcd.endpoints:
            raise ValueError("etcd.endpoints: expected one URL at least, because kind is etcd")


class CollectorRosterOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The cluster that the collector watches for all agents whose roster.source is collector."""

    source: Annotated[
        Literal["none", "kubernetes"],
        msgspec.Meta(description="kubernetes: pods, nodes, DNS and the agents' Service are watched and handed out."),
    ] = "none"
    kubernetes: KubernetesOptions = KubernetesOptions(direct_limit=50_000)
    linger: Annotated[
        Seconds,
        msgspec.Meta(ge=0, le=3600, description="How long a member that is gone stands in the roster as deleted."),
    ] = 60.0
    dns: ClusterDnsOptions = ClusterDnsOptions()
    service: Annotated[
        str,
        msgspec.Meta(max_length=63, description="Name of the agents' own Service, in their namespace; empty: none."),
    ] = ""


class CollectorApiOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The clients that may read, and their limits."""

    token_file: Annotated[
        str,
        msgspec.Meta(
            max_length=4096,
            description="File of bearer tokens, one a line, that reads need; read again when it changes. Empty: none.",
        ),
    ] = ""
    limits: LimitOptions = LimitOptions(connections=16_384, body=8 << 20, response=60.0)
    streams: Annotated[
        int, msgspec.Meta(ge=0, le=10_000, description="Most clients that follow changes (server-sent events) at once.")
    ] = 100


class CollectorPageOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The page for browsers, at the same addresses as the API, with the same token."""

    enabled: Annotated[bool, msgspec.Meta(description="Serve the page; needs Jinja2.")] = True
    address: Annotated[
        str,
        msgspec.Meta(
            max_length=2048,
            description="URL at which people open it, as https://HOST: notices and alerts lead there. Empty: nowhere.",
        ),
    ] = ""

    def __post_init__(self) -> None:
        if self.address and not is_origin(self.address):
            raise ValueError(f'address: got "{self.address[:80]}", expected http://HOST:PORT or https://HOST:PORT')
        if self.address and not self.enabled:
            raise ValueError("address: expected none, because enabled is false")


class CollectorOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The configuration of `kubesonar collector`."""

    listen: Annotated[
        tuple[ListenOptions, ...],
        msgspec.Meta(min_length=1, max_length=16, description="Addresses on which it takes reports and answers."),
    ] = (ListenOptions(address=f":{COLLECTOR_PORT}"),)
    reports: IntakeOptions = IntakeOptions()
    agents: MirrorOptions = MirrorOptions()
    roster: CollectorRosterOptions = CollectorRosterOptions()
    store: CollectorStoreOptions = CollectorStoreOptions()
    api: CollectorApiOptions = CollectorApiOptions()
    replicas: ReplicaOptions = ReplicaOptions()
    page: CollectorPageOptions = CollectorPageOptions()
    cluster: Annotated[
        str, msgspec.Meta(max_length=253, description="Name of the cluster in notices; required with receivers.")
    ] = ""
    notify: NotifyOptions = NotifyOptions()
    log: LogOptions = LogOptions()
