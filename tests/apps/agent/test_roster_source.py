"""Which source of members is taken, and what is remembered of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kubesonar.apps.agent.options import MemberOptions
from kubesonar.apps.agent.roster_source import RosterSource
from kubesonar.config import ConfigError
from kubesonar.discovery.options import CollectorAccess, DnsRosterOptions, KubernetesOptions, RosterOptions
from kubesonar.model import Roster
from kubesonar.net.clock import SystemClock
from tests.kube.apiserver import ApiServer
from tests.waiting import until

IN_A_POD = {"KUBERNETES_SERVICE_HOST": "127.0.0.1"}
"""As the kubelet sets it; but nothing is mounted where a service account would be."""

DNS = DnsRosterOptions(name="agents")


def members(environ: Mapping[str, str] = {}, **roster: Any) -> RosterSource:
    return RosterSource(RosterOptions(**roster), MemberOptions(name="a"), environ, SystemClock())


@pytest.mark.parametrize(
    ("environ", "roster", "source"),
    [
        ({}, {}, "none"),
        ({}, {"file": "/members.yaml"}, "file"),
        (IN_A_POD, {"file": "/members.yaml"}, "file"),
        ({}, {"dns": DNS}, "dns"),
        ({}, {"dns": DNS, "source": "none"}, "none"),
        ({}, {"dns": DNS, "file": "/members.yaml", "source": "dns"}, "dns"),
        (IN_A_POD, {}, "none"),
        (IN_A_POD, {"dns": DNS}, "dns"),
    ],
)
def test_the_source(environ: Mapping[str, str], roster: dict[str, Any], source: str) -> None:
    chosen = members(environ, **roster)
    assert chosen.source == source
    chosen.close()


@pytest.mark.parametrize("dns", [DnsRosterOptions(), DNS])
def test_a_pod_takes_kubernetes_where_it_has_credentials(tmp_path: Path, dns: DnsRosterOptions) -> None:
    with ApiServer() as api:
        kubernetes = KubernetesOptions(kubeconfig=api.kubeconfig(tmp_path / "config"))
        chosen = members(IN_A_POD, kubernetes=kubernetes, dns=dns)
        assert chosen.source == "kubernetes"
        chosen.close()


def test_a_collector_is_one_where_one_is_named() -> None:
    options = RosterOptions(source="collector")
    me, clock = MemberOptions(name="a"), SystemClock()
    chosen = RosterSource(options, me, IN_A_POD, clock, CollectorAccess(("http://collector:7475",)))
    assert chosen.source == "collector"
    chosen.close()
    with pytest.raises(ConfigError, match=r"needs reports\.to"):
        RosterSource(options, me, IN_A_POD, clock)


def test_no_source_begins_without_members_while_those_of_another_are_known(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        kubernetes = KubernetesOptions(kubeconfig=api.kubeconfig(tmp_path / "config"), direct_limit=2, settle=0.05)
        nowhere = DnsRosterOptions(name="agents.invalid", poll=0.05, timeout=0.5)
        chosen = members(IN_A_POD, kubernetes=kubernetes, dns=nowhere)
        rosters: list[Roster] = []
        task = asyncio.create_task(chosen.watch(rosters.append))
        await until(lambda: rosters and rosters[-1].stale)
        assert rosters[-1].stale.startswith("DNS: ")
        assert [len(roster.members) for roster in rosters] == [3, 3]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        chosen.close()

    with ApiServer() as api:
        api.populate(3)
        asyncio.run(scenario(api))


def test_a_pod_without_a_service_account_says_so(caplog: pytest.LogCaptureFixture) -> None:
    members(IN_A_POD).close()
    (said,) = caplog.records
    assert said.getMessage() == "members do not come from Kubernetes"


def test_without_a_source_there_is_an_empty_roster_at_once() -> None:
    found: list[Roster] = []
    chosen = members()
    asyncio.run(chosen.watch(found.append))
    assert found == [Roster("none", ())]
    assert (chosen.remarks, chosen.stale_for) == ([], 0.0)


def test_a_source_that_fails_is_remarked_on_with_since_when(tmp_path: Path) -> None:
    async def scenario() -> None:
        found: list[Roster] = []
        chosen = members(file=str(tmp_path / "none.yaml"), poll=0.05)
        task = asyncio.create_task(chosen.watch(found.append))
        await until(lambda: found)
        assert chosen.stale_for > 0
        (remark,) = chosen.remarks
        assert re.match(r"the roster is stale for \d+ s: members file ", remark)
        (tmp_path / "none.yaml").write_text("version: 1\nmembers: []\n")
        await until(lambda: len(found) == 2)
        assert (chosen.remarks, chosen.stale_for) == ([], 0.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())
