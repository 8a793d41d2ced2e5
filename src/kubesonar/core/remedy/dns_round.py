"""A round of questions to the DNS pods: what the remedy decides on, and what every standpoint hands in."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class DnsReply(StrEnum):
    """What came back for a question about a name of the cluster by one transport. Names outside of the cluster do not
    count here, as a sick upstream is no reason to restart a server. `UNKNOWN`: not asked, not permitted, or the
    standpoint's own trouble; it accuses nobody."""

    ANSWERED = "answered"
    SILENT = "silent"
    REFUSED = "refused"
    WRONG = "wrong"
    UNKNOWN = "unknown"

    @property
    def failed(self) -> bool:
        """Whether the question was asked and not answered rightly."""
        return self in (DnsReply.SILENT, DnsReply.REFUSED, DnsReply.WRONG)


class DnsServerPod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod behind the DNS Service, as the API server shows it.

    `running_for` is for how many seconds it has been as it is: Ready, or Running and not Ready; 0 where the API does
    not say. `planned` is in words why its silence is announced ("its node is cordoned"), "" where nothing explains it.
    `owner` is the Deployment or DaemonSet that makes a successor, "" for a bare pod, which nobody makes again.
    """

    uid: str
    name: str
    node: str = ""
    phase: str = "Running"
    ready: bool = True
    running_for: float = 0.0
    restarts: int = 0
    owner: str = ""
    deleting: bool = False
    planned: str = ""


class DnsStandpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Somewhere that questions are asked from. `node` is "" for one outside of the cluster. `well` is False where it
    is known to be cut off or starved, so that its word does not count; None where nobody knows."""

    name: str
    node: str = ""
    well: bool | None = None


class PodReplies(msgspec.Struct, frozen=True):
    """What came back to one standpoint from one pod (by its uid) in this round."""

    standpoint: str
    pod: str
    udp: DnsReply = DnsReply.UNKNOWN
    tcp: DnsReply = DnsReply.UNKNOWN


class DnsRound(msgspec.Struct, frozen=True, kw_only=True):
    """One round of questions, of a few seconds. `planned` are changes of the whole cluster that explain silence, in
    words ("a rollout of Deployment kube-system/coredns", "a rollout of DaemonSet kube-system/cilium"). `pods` is None
    where the API server did not say which pods there are: unknown, and never a reason to act. `nodes` is how many
    nodes there are to ask from, 0 where that is not known."""

    pods: tuple[DnsServerPod, ...] | None
    standpoints: tuple[DnsStandpoint, ...] = ()
    replies: tuple[PodReplies, ...] = ()
    planned: tuple[str, ...] = ()
    nodes: int = 0
