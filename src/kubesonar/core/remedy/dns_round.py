"""A round of questions to the DNS pods: what the remedy decides on, and what every standpoint hands in."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class PodReply(StrEnum):
    """The reply to a question about a name of the cluster by one transport. Names outside of the cluster do not count
    here, as a sick upstream is no reason to restart a server. `UNKNOWN`: not asked, not permitted, or the standpoint's
    own trouble; it accuses nobody."""

    ANSWERED = "answered"
    SILENT = "silent"
    REFUSED = "refused"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class DnsServerPod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod behind the DNS Service, as the API server shows it.

    `running_for` is for how many seconds it has been as it is: Ready, or Running and not Ready; 0 where the API does
    not say. `node_ready` is the Ready condition of its node, None where that is not known. `owner` is the Deployment
    or DaemonSet that makes a successor, "" for a bare pod, which nobody makes again. `planned` says in words why its
    silence is announced ("its node is cordoned"), "" where nothing does.
    """

    uid: str
    name: str
    namespace: str = "kube-system"
    node: str = ""
    phase: str = "Running"
    ready: bool = True
    running_for: float = 0.0
    restarts: int = 0
    node_ready: bool | None = None
    owner: str = ""
    deleting: bool = False
    planned: str = ""


class DnsStandpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A place that questions are asked from. `node` is "" for one outside of the cluster. `well` is False where it is
    known to be cut off or starved, so that its word does not count, True where other paths of its node are known to be
    well, None where nobody knows."""

    name: str
    node: str = ""
    well: bool | None = None


class PodReplies(msgspec.Struct, frozen=True, kw_only=True):
    """The replies to one standpoint from one pod (by its uid) in this round. `reached` says that anything of the pod's
    address came back, such as the handshake of a TCP connection on which no answer followed. `node_reached` is whether
    the standpoint reached something else in the pod network of the pod's node by UDP, since the pod began to fail; None
    where nobody knows."""

    standpoint: str
    pod: str
    udp: PodReply = PodReply.UNKNOWN
    tcp: PodReply = PodReply.UNKNOWN
    reached: bool = False
    node_reached: bool | None = None

    @property
    def decisive(self) -> PodReply:
        """The reply by UDP; by TCP where UDP could not be asked, as through a port-forward."""
        return self.tcp if self.udp is PodReply.UNKNOWN else self.udp

    @property
    def came_back(self) -> bool:
        """Whether anything came back: then the way to the pod is well, and so is its node."""
        back = (PodReply.ANSWERED, PodReply.REFUSED, PodReply.WRONG)
        return self.reached or self.udp in back or self.tcp in back


class DnsRound(msgspec.Struct, frozen=True, kw_only=True):
    """One round of questions, of a few seconds. `pods` is None where the API server did not say which pods there are.
    `planned` are changes that explain silence of all of them, in words ("a rollout of Deployment
    kube-system/coredns", "a rollout of DaemonSet kube-system/cilium")."""

    pods: tuple[DnsServerPod, ...] | None
    standpoints: tuple[DnsStandpoint, ...] = ()
    replies: tuple[PodReplies, ...] = ()
    planned: tuple[str, ...] = ()
