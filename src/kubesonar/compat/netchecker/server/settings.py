"""The server's flags, and the store that they name."""

from __future__ import annotations

import logging

from kubesonar.compat.netchecker.flags import LOG_FLAGS, Flag, LogFlags, boolean, whole_number
from kubesonar.compat.variables import unchanged
from kubesonar.config import ConfigError
from kubesonar.kube.client import Client
from kubesonar.net.clock import Clock
from kubesonar.net.http.url import parse_url
from kubesonar.stores.custom_kind import CustomKind
from kubesonar.stores.etcd import EtcdStore
from kubesonar.stores.etcd_options import EtcdOptions
from kubesonar.stores.kubernetes import KubernetesStore
from kubesonar.stores.store import Store

_LOG = logging.getLogger("kubesonar.netchecker")

NAMESPACE = "default"
"""The namespace of the custom resources, whatever namespace the server is in."""

AGENT_RESOURCE = CustomKind("network-checker.ext", "agents", "Agent")
"""The original's custom resource."""

COUNTER_RESOURCE = CustomKind("network-checker.ext", "agents", "Agent", shared=True)
"""Counts are kept as objects of the same kind, "counters.NAME", since the original's rights permit no other."""

_YEAR = 31_536_000

SERVER_FLAGS: tuple[Flag, ...] = (
    Flag("endpoint", unchanged, "address to listen on, HOST:PORT"),
    Flag("kubeproxyinit", boolean, "keep records as custom resources in the API server; else in etcd", bare=True),
    Flag("report-ttl", whole_number(1, _YEAR), "seconds for which etcd keeps a report"),
    Flag("ping-timeout", whole_number(0, 3600), "seconds to wait at the start for the store's first answer"),
    Flag("etcd-endpoints", unchanged, "URLs of etcd's members, separated by commas"),
    Flag("etcd-tree", unchanged, "what all keys in etcd begin with"),
    Flag("etcd-key", unchanged, "file with the key of the client certificate"),
    Flag("etcd-cert", unchanged, "file with the client certificate to show to etcd"),
    Flag("etcd-ca", unchanged, "file with the CAs to verify etcd with; without it etcd is not verified"),
    Flag("check-interval", whole_number(1, _YEAR), "seconds between two looks for reports that are missing"),
    *LOG_FLAGS,
)


class ServerSettings(LogFlags, frozen=True, kw_only=True):
    """The values of the flags."""

    endpoint: str = "0.0.0.0:8081"
    kubeproxyinit: bool = False
    report_ttl: int = 300
    ping_timeout: int = 5
    etcd_endpoints: str = ""
    etcd_tree: str = "netchecker"
    etcd_key: str = ""
    etcd_cert: str = ""
    etcd_ca: str = ""
    check_interval: int = 10


def store_of(settings: ServerSettings, client: Client, clock: Clock) -> Store:
    """Return the store that the flags name; nothing is asked yet. Raises ConfigError."""
    if settings.kubeproxyinit:
        return KubernetesStore(client, NAMESPACE, clock, {"agents": AGENT_RESOURCE, "counters": COUNTER_RESOURCE})
    options = etcd_options(settings)
    if not options.verify:
        _LOG.warning("etcd is not verified, as -etcd-ca is not given: whoever answers for it is believed")
    return EtcdStore(options)


def etcd_options(settings: ServerSettings) -> EtcdOptions:
    """Return how to reach etcd. Raises ConfigError."""
    urls = tuple(url.strip() for url in settings.etcd_endpoints.split(",") if url.strip())
    if not urls:
        raise ConfigError("-etcd-endpoints is empty, expected URLs of etcd, or -kubeproxyinit for custom resources")
    try:
        secure = [parse_url(url).secure for url in urls]
    except ValueError as error:
        raise ConfigError(f"-etcd-endpoints: {error}") from None
    return EtcdOptions(
        endpoints=urls,
        tree=settings.etcd_tree,
        ca_file=settings.etcd_ca,
        cert_file=settings.etcd_cert,
        key_file=settings.etcd_key,
        verify=bool(settings.etcd_ca) or not any(secure),
    )
