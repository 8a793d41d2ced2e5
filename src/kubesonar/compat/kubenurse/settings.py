"""The settings of the room, from the older tool's environment variables and a few of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from kubesonar.compat.kubenurse import values
from kubesonar.compat.kubenurse.values import Extra
from kubesonar.compat.variables import Variable, settings_from, unchanged
from kubesonar.config import ConfigError

PREFIX = "KUBENURSE_"
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api"""

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_LINK = re.compile(r"KUBENURSE\w*?_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")
"""Variables that Kubernetes sets in every container beside a Service named kubenurse
(https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables); they are no settings."""


class KubenurseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the room, described in `KUBENURSE_VARIABLES`; durations are in seconds."""

    ingress_url: str = ""
    service_url: str = ""
    insecure: bool = False
    extra_ca: str = ""
    extra_checks: tuple[Extra, ...] = ()
    namespace: str = ""
    neighbour_filter: str = ""
    neighbour_limit: int = 10
    allow_unschedulable: bool = False
    check_api_server_direct: bool = True
    check_api_server_dns: bool = True
    check_me_ingress: bool = True
    check_me_service: bool = True
    check_neighbourhood: bool = True
    check_interval: float = 5.0
    reuse_connections: bool = False
    shutdown_duration: float = 5.0
    histogram_buckets: tuple[float, ...] = BUCKETS
    victoriametrics_histogram: bool = False
    expose_metadata: bool = False
    use_tls: bool = False
    cert_file: str = ""
    cert_key: str = ""
    api_host: str = ""
    api_port: str = "443"
    api_dns: str = "kubernetes.default.svc.cluster.local"
    listen: tuple[str, ...] = (":8080",)
    listen_tls: tuple[str, ...] = (":8443",)
    alive: str = "last"
    alive_always_200: bool = False
    allow_forwarded: bool = False
    metrics: str = "both"
    pod_name: str = ""
    node_name: str = ""
    service_account: str = SERVICE_ACCOUNT


_ON, _OFF = values.exactly_true, values.not_false
_OWN: tuple[tuple[str, Callable[[str], Any], str], ...] = (
    ("ingress_url", unchanged, "URL of the ingress to this service; /alwayshappy is appended"),
    ("service_url", unchanged, "URL of this service; /alwayshappy is appended"),
    ("insecure", _ON, "true: do not verify TLS certificates"),
    ("extra_ca", unchanged, "file of CA certificates to trust beside the system's and the cluster's"),
    ("extra_checks", values.extra_checks, "further checks: NAME:URL, several joined with |"),
    ("namespace", values.namespace, "namespace of the neighbours; empty: all"),
    ("neighbour_filter", unchanged, "label selector of the neighbours; empty: every pod"),
    ("neighbour_limit", values.integer, "how many neighbours are asked; 0 or less: all"),
    ("allow_unschedulable", _ON, "true: ask neighbours on cordoned nodes too, look at no node"),
    ("check_api_server_direct", _OFF, "false: do not check the API server by its address"),
    ("check_api_server_dns", _OFF, "false: do not check the API server by its name"),
    ("check_me_ingress", _OFF, "false: do not check the ingress"),
    ("check_me_service", _OFF, "false: do not check the service"),
    ("check_neighbourhood", _OFF, "false: do not ask neighbours"),
    ("check_interval", values.parse_period, "time between two rounds of checks"),
    ("reuse_connections", _ON, "true: keep connections between checks"),
    ("shutdown_duration", values.span, "after SIGTERM, go on answering for this long"),
    ("histogram_buckets", values.buckets, "upper bounds in seconds, rising, joined with commas"),
    ("victoriametrics_histogram", _ON, "true: buckets labelled vmrange instead of le"),
    ("expose_metadata", _ON, "true: # HELP and # TYPE lines in the metrics"),
    ("use_tls", _ON, "true: listen with TLS too, and ask neighbours by it"),
    ("cert_file", unchanged, "certificate for the TLS listener, read again when it changes"),
    ("cert_key", unchanged, "key of that certificate"),
    ("listen", values.listen_addresses, "where HTTP is served: HOST:PORT, unix:PATH"),
    ("listen_tls", values.listen_addresses, "where HTTPS is served, likewise"),
    ("alive", values.one_of("last", "access"), "last: /alive shows the latest round; access: runs one"),
    ("alive_always_200", _ON, "true: /alive is 200 even when checks fail"),
    ("allow_forwarded", _ON, "true: show /metrics and /alive to proxies"),
    ("metrics", values.one_of("both", "current"), "both: also the names up to 1.12; current: not these"),
    ("pod_name", unchanged, "this pod's name; empty: the host name"),
    ("node_name", unchanged, "this pod's node; empty: as the API server says"),
    ("service_account", unchanged, "directory of the token and the cluster's CA"),
)

KUBENURSE_VARIABLES: tuple[Variable, ...] = (
    *(Variable(PREFIX + field.upper(), field, read, meaning) for field, read, meaning in _OWN),
    Variable("KUBERNETES_SERVICE_HOST", "api_host", unchanged, "address of the API server, set by the kubelet"),
    Variable("KUBERNETES_SERVICE_PORT", "api_port", unchanged, "port of the API server, set by the kubelet"),
    Variable("KUBERNETES_SERVICE_DNS", "api_dns", unchanged, "name of the API server"),
)


def kubenurse_settings(environ: Mapping[str, str]) -> KubenurseSettings:
    """Return the settings that `environ` gives. Raises ConfigError for the first value that does not fit."""
    settings = settings_from(KubenurseSettings, KUBENURSE_VARIABLES, environ)
    if settings.use_tls and not (settings.cert_file and settings.cert_key):
        raise ConfigError("KUBENURSE_USE_TLS: KUBENURSE_CERT_FILE and KUBENURSE_CERT_KEY must name files")
    return settings


def misspelt_variables(environ: Mapping[str, str]) -> list[str]:
    """Return variables that are named like settings and set nothing."""
    known = {variable.name for variable in KUBENURSE_VARIABLES}
    return sorted(
        name for name in environ if name.startswith(PREFIX) and name not in known and not _LINK.fullmatch(name)
    )
