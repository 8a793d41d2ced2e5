"""Tells who sends a report, as far as its request proves it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from kubesonar.model import Member, Roster
from kubesonar.web import Request


class Reporter(msgspec.Struct, frozen=True):
    """Whoever is proved to send a request: the pod and the node that its token is bound to; both empty for one that may
    report as any member, or as any of the `members` of these names (None: of any)."""

    node: str = ""
    pod: str = ""
    members: frozenset[str] | None = None

    @property
    def words(self) -> str:
        """The name of who that is, for the sentence that says it is somebody else."""
        return f"its token of {self.pod} on {self.node}" if self.node else "which is no member of the cluster"

    def may_be(self, member: Member) -> bool:
        """Whether this is that member: it runs on the same node, and is called like the pod unless its roster knows no
        pods' names and calls it by an address or by its node."""
        if not self.node:
            return self.members is None or member.name in self.members
        by_pod = member.name in (self.pod, member.node, *member.addresses)
        return member.node in (self.node, *member.addresses) and by_pod


class ReporterRefused(Exception):
    """A request that proves nothing; the text is one sentence for its sender, which repeats no token."""


class AuthorityAway(Exception):
    """Whoever vouches for senders (the API server) cannot be asked now; the text is one sentence."""


class ReportAuthenticator(Protocol):
    """Decides who sends a report."""

    async def reporter(self, request: Request) -> Reporter:
        """Return who sends it. Raises ReporterRefused and AuthorityAway."""
        ...


class AnyReporter:
    """Believes every sender to be whom it says; for networks in which nobody else can reach the collector."""

    async def reporter(self, request: Request) -> Reporter:
        """Return one that may be any member."""
        return Reporter()


class RosterReporters:
    """Believes every sender to be whom it says, where that is a member of the roster, which is to be told first."""

    def __init__(self) -> None:
        self._reporter: Reporter | None = None

    def roster_changed(self, roster: Roster) -> None:
        """Believe members of this roster from now on, and no others."""
        self._reporter = Reporter(members=frozenset(member.name for member in roster.members))

    async def reporter(self, request: Request) -> Reporter:
        """Return one that may be any member of the roster. Raises AuthorityAway while there is none."""
        if self._reporter is None:
            raise AuthorityAway("the members of the cluster are not known yet")
        return self._reporter
