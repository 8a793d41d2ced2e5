"""Tells who sends a report, as far as its request proves it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from kubesonar.model import Member
from kubesonar.web import Request


class Reporter(msgspec.Struct, frozen=True):
    """Whoever is proved to send a request: the pod and the node that its token is bound to; both empty for one that may
    report as any member."""

    node: str = ""
    pod: str = ""

    def may_be(self, member: Member) -> bool:
        """Whether this is that member: it runs on the same node, and is called like the pod unless its roster knows no
        pods' names and calls it by an address or by its node."""
        if not self.node:
            return True
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
