"""What the plain targets of the virtual cluster do: DNS pods, the API server, the ingress, a target outside."""

from __future__ import annotations

from bench.diagnosis.cluster import API, INGRESS, OUTSIDE, Cluster
from kubesonar.core.dns.message import Rcode
from kubesonar.model import Network


class Server:
    """A server with what is the matter with it. Shares are of questions or requests, each by chance; `answer` is the
    rcode or the status of what it answers, 0 or 200 where it is well; `empty` an answer without records."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.mend()

    def mend(self) -> None:
        """Makes it well."""
        self.deaf_udp = 0.0
        """Share of questions by UDP that it does not hear."""
        self.deaf_tcp = 0.0
        """Share of connections that it does not accept."""
        self.gone = False
        """Its process is gone: its node's kernel refuses for it."""
        self.failing = 0.0
        """Share of requests that it answers wrongly."""
        self.empty = False
        self.code = 0
        """What a wrong answer says: an rcode, or a status."""
        self.delay = 0.0
        """Seconds that each answer takes longer."""


class Servers:
    """All of them, by name. `upstream` is whether names outside of the cluster can be resolved."""

    def __init__(self, cluster: Cluster) -> None:
        names = (*cluster.dns, API, INGRESS, OUTSIDE)
        self.named = {name: Server(name) for name in names}
        self.endpoints = list(cluster.dns)
        """The DNS pods to which the DNS Service leads."""
        pods = [member.name for member in cluster.members if member.network is Network.POD]
        self.all_agents = pods or [member.name for member in cluster.members]
        """The agents that their own Service selects."""
        self.agents = self.all_agents
        """Those of them to which it leads now."""
        self.upstream = True

    def add(self, name: str) -> None:
        """One more."""
        self.named[name] = Server(name)

    def __getitem__(self, name: str) -> Server:
        return self.named[name]


SERVFAIL, NO_ERROR, REFUSED = Rcode.SERVFAIL, Rcode.NOERROR, Rcode.REFUSED
"""The rcodes that servers here may answer."""
