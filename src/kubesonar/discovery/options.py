"""Options of where members come from."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from kubesonar.model import Seconds


class KubernetesOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Members from pods and the nodes that they run on."""

    namespace: Annotated[
        str,
        msgspec.Meta(
            max_length=63, pattern=r"^[a-z0-9-]*\Z", description="Namespace of the agents' pods; empty: the own one."
        ),
    ] = ""
    selector: Annotated[
        str, msgspec.Meta(min_length=1, max_length=1024, description="Label selector of the agents' pods.")
    ] = "kubesonar.io/port"
    kubeconfig: Annotated[
        str,
        msgspec.Meta(
            max_length=4096, description="Kubeconfig file; empty: the pod's service account, then as kubectl looks."
        ),
    ] = ""
    direct_limit: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            le=50_000,
            description="Above so many members the API server is no longer watched by every agent: members come from "
            "roster.dns.name where that is given, and else are listed only now and then.",
        ),
    ] = 100
    starting: Annotated[
        Seconds,
        msgspec.Meta(
            ge=0,
            le=3600,
            description="How long a new pod may take to become ready for the first time before its silence is a "
            "failure.",
        ),
    ] = 300.0
    settle: Annotated[
        Seconds,
        msgspec.Meta(ge=0.05, le=60, description="At most one roster in this time: changes often come in bursts."),
    ] = 1.0


class DnsRosterOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Members from the addresses of a headless Service."""

    name: Annotated[
        str,
        msgspec.Meta(
            max_length=253, pattern=r"^[A-Za-z0-9._-]*\Z", description="Name of a headless Service; empty: none."
        ),
    ] = ""
    poll: Annotated[
        Seconds,
        msgspec.Meta(
            ge=0.05,
            le=3600,
            description="How often the name is looked up; less often where members are many, so that all of them "
            "together ask at most 20 questions a second.",
        ),
    ] = 30.0
    timeout: Annotated[Seconds, msgspec.Meta(gt=0, le=60, description="How long an answer is waited for.")] = 10.0


class RosterOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The source of members, and the options of each source."""

    source: Annotated[
        Literal["auto", "file", "kubernetes", "dns", "collector", "none"],
        msgspec.Meta(
            description="auto: the file where one is given, else Kubernetes where the agent runs in a pod, else DNS "
            "where a name is given, else none. collector: the collectors of reports.to, which watch the cluster for "
            "all agents; DNS where a name is given, none of them answers and no list was kept."
        ),
    ] = "auto"
    file: Annotated[
        str, msgspec.Meta(max_length=4096, description="File with the members (YAML or JSON); empty: none.")
    ] = ""
    directory: Annotated[
        str,
        msgspec.Meta(
            max_length=4096,
            description="Directory in which an agent keeps the last list of a collector, so that it knows others when "
            "it starts while none answers; empty: none.",
        ),
    ] = ""
    poll: Annotated[
        Seconds, msgspec.Meta(ge=0.05, le=600, description="How often the file is looked at for a change.")
    ] = 0.5
    linger: Annotated[
        Seconds,
        msgspec.Meta(
            ge=0,
            le=3600,
            description="How long a member that Kubernetes or DNS no longer names stands in the roster as deleted.",
        ),
    ] = 60.0
    kubernetes: KubernetesOptions = KubernetesOptions()
    dns: DnsRosterOptions = DnsRosterOptions()

    def __post_init__(self) -> None:
        if self.source == "file" and not self.file:
            raise ValueError("the source file needs roster.file, the path of a members file")
        if self.source == "dns" and not self.dns.name:
            raise ValueError("the source dns needs roster.dns.name, the name of a headless Service")


class CollectorAccess(msgspec.Struct, frozen=True):
    """Collectors by their URLs, of which the first that answers is asked; the file of the token to show, and that of
    the CA certificates to trust (empty: none, the system's)."""

    urls: tuple[str, ...]
    token_file: str = ""
    ca_file: str = ""
