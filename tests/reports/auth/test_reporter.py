"""Who may report as which member where nobody shows a token."""

from __future__ import annotations

import asyncio

import pytest

from kubesonar.model import Member, Roster
from kubesonar.reports.auth.reporter import AuthorityAway, Reporter, RosterReporters
from kubesonar.web import Request


def member(name: str) -> Member:
    return Member(name, f"node-{name}", ("10.0.0.1",), 7473)


def test_of_those_that_show_nothing_only_members_of_the_roster_are_believed() -> None:
    reporters = RosterReporters()

    def believed() -> list[str]:
        reporter = asyncio.run(reporters.reporter(Request()))
        return [name for name in "abc" if reporter.may_be(member(name))]

    with pytest.raises(AuthorityAway, match="not known yet"):
        believed()
    reporters.roster_changed(Roster("1", (member("a"), member("b"))))
    assert believed() == ["a", "b"]
    reporters.roster_changed(Roster("2", (member("c"),)))
    assert believed() == ["c"]
    reporters.roster_changed(Roster("3", ()))
    assert believed() == []


def test_who_it_is_said_to_be_is_a_clause_without_a_token() -> None:
    assert Reporter("node-1", "pod-1").words == "its token of pod-1 on node-1"
    assert Reporter(members=frozenset()).words == "which is no member of the cluster"
