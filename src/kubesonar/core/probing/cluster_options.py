"""The options of the checks of what a workload in a cluster depends on."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.model import Seconds

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""The directory where Kubernetes mounts a pod's service account
(https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/)."""


class PacedOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The pace of a check, and how long it may take."""

    period: Annotated[
        Seconds,
        msgspec.Meta(ge=0.1, le=86_400, description="Time between two checks; longer where the budget needs it."),
    ] = 10.0
    timeout: Annotated[Seconds, msgspec.Meta(gt=0, le=60, description="How long an answer is waited for.")] = 3.0


class HttpCheckOptions(PacedOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The terms by which a check by HTTP is made and judged."""

    expect: Annotated[str, msgspec.Meta(max_length=64, description='What is well: "200" or "200-299".')] = "200"
    trust: Annotated[
        str, msgspec.Meta(max_length=4096, description="File of CA certificates for https; empty: the system's.")
    ] = ""


class ApiServerOptions(PacedOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The API server, asked for its version. Found by KUBERNETES_SERVICE_HOST; not checked where that is not set."""

    direct: Annotated[bool, msgspec.Meta(description="Check it by its address.")] = True
    dns: Annotated[bool, msgspec.Meta(description="Check it by its DNS name, kubernetes.default.svc.DOMAIN.")] = True
    host: Annotated[
        str,
        msgspec.Meta(
            max_length=253, pattern=r"^[A-Za-z0-9.:-]*\Z", description="Its address; empty: KUBERNETES_SERVICE_HOST."
        ),
    ] = ""
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535, description="Its port; 0: KUBERNETES_SERVICE_PORT, or 443.")] = 0
    path: Annotated[str, msgspec.Meta(max_length=2048, pattern=r"^/[!-~]*\Z", description="What it is asked for.")] = (
        "/version"
    )
    trust: Annotated[str, msgspec.Meta(max_length=4096, description="File of the cluster's CA certificates.")] = (
        f"{ACCOUNT}/ca.crt"
    )
    token_file: Annotated[
        str,
        msgspec.Meta(
            max_length=4096,
            description="File of the token that is shown to the API server's own address, and only after it refused "
            "to answer without. Empty: none.",
        ),
    ] = f"{ACCOUNT}/token"
    full: Annotated[
        Seconds,
        msgspec.Meta(
            ge=0,
            le=86_400,
            description="A full TLS handshake at least this often; in between the session is resumed, which does not "
            "look at the certificate. 0: always a full one.",
        ),
    ] = 60.0


class ClusterDnsOptions(PacedOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The cluster's DNS: its Service, and each pod behind it. Checked inside a cluster only, unless told an address."""

    service: Annotated[
        bool, msgspec.Meta(description="Check the Service, and a cache on the node where one is used.")
    ] = True
    pods: Annotated[bool, msgspec.Meta(description="Check each pod behind the Service.")] = True
    tcp: Annotated[bool, msgspec.Meta(description="Ask by TCP too.")] = True
    address: Annotated[
        tuple[str, ...],
        msgspec.Meta(max_length=4, description="The Service's addresses; empty: from resolv.conf and the API server."),
    ] = ()
    namespace: Annotated[
        str, msgspec.Meta(max_length=63, pattern=r"^[a-z0-9-]+\Z", description="Namespace of the Service.")
    ] = "kube-system"
    name: Annotated[str, msgspec.Meta(max_length=63, pattern=r"^[a-z0-9-]+\Z", description="Name of the Service.")] = (
        "kube-dns"
    )
    question: Annotated[
        str,
        msgspec.Meta(
            max_length=260,
            description='What is asked, as "NAME TYPE"; a name that begins with "*." gets a new label each time. '
            'Empty: "kubernetes.default.svc.DOMAIN A", or AAAA where the API server\'s address is IPv6.',
        ),
    ] = ""
    large: Annotated[
        str,
        msgspec.Meta(
            max_length=260,
            description='A name that has an answer of more than 1232 bytes, as "NAME TYPE", asked by UDP besides, so '
            "that it is seen where only large answers are lost. Empty: not asked.",
        ),
    ] = ""
    expect: Annotated[
        str,
        msgspec.Meta(
            max_length=16,
            description="What is well: an rcode (NOERROR: with a record of the asked type), or NODATA, an empty one. "
            "Empty: NOERROR.",
        ),
    ] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000, description="Most DNS pods that are asked from here.")] = 250


class OwnServiceOptions(HttpCheckOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The agents' own Service, asked through its virtual address; one of the agents answers."""

    url: Annotated[
        str, msgspec.Meta(max_length=2048, description="What is asked for; empty: found by the Service's name.")
    ] = ""
    name: Annotated[
        str,
        msgspec.Meta(
            max_length=63,
            pattern=r"^[a-z0-9-]*\Z",
            description="Name of the Service, whose addresses the API server tells; empty, with no url: no check.",
        ),
    ] = ""


class IngressOptions(HttpCheckOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The ingress, asked from inside as its users ask it from outside."""

    url: Annotated[str, msgspec.Meta(max_length=2048, description="What is asked for; empty: no check.")] = ""


class ClusterOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The things in the cluster that a workload depends on. Further URLs are plain targets."""

    name: Annotated[
        str,
        msgspec.Meta(
            max_length=63,
            pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?\Z",
            description="Name of this cluster in every notice and alert. Required where notify.receivers are given: "
            "many clusters share one Alertmanager.",
        ),
    ] = ""
    detect: Annotated[
        bool,
        msgspec.Meta(
            description="Find the API server by this process's environment, and what else is checked by asking it."
        ),
    ] = True
    domain: Annotated[
        str,
        msgspec.Meta(
            max_length=200,
            pattern=r"^[A-Za-z0-9.-]*\Z",
            description="The cluster's domain, as cluster.local; empty: that of the search list.",
        ),
    ] = ""
    resolv_conf: Annotated[
        str, msgspec.Meta(max_length=4096, description="Where the search list and the name servers are read from.")
    ] = "/etc/resolv.conf"
    api: ApiServerOptions = ApiServerOptions()
    dns: ClusterDnsOptions = ClusterDnsOptions()
    service: OwnServiceOptions = OwnServiceOptions()
    ingress: IngressOptions = IngressOptions()
