"""A doctor on real DNS servers: a deaf pod is evicted, or it is said why not; and what is said where."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from kubesonar.core.dns.message import Rcode
from kubesonar.core.remedy.events import Decision, Eviction, RemedyAction, RemedyReason, RemedyVerb, RestartOutcome
from kubesonar.core.remedy.options import RemedyOptions
from tests.doctor import dns_server
from tests.doctor.cluster import DnsCluster, dns_cluster
from tests.doctor.repair.doctors import populate, working
from tests.kube.running import run

SUCCESSOR = "127.0.0.13"
MINUTE = 5
"""Rounds after which a fault is older than a minute."""


def sicken(cluster: DnsCluster, pod: int = 0) -> None:
    """Let a pod fail at once: a silent one takes the time limit of each question, and one short enough for that is too
    short for well pods on a busy machine."""
    cluster.pods[pod].udp = dns_server.says(Rcode.SERVFAIL)


def reasons(actions: list[RemedyAction]) -> list[tuple[RemedyVerb, RemedyReason]]:
    found = [(one.verb, one.reason) for one in actions if isinstance(one, Decision)]
    return list(dict.fromkeys(found))


def outcomes(actions: list[RemedyAction]) -> list[bool]:
    return [one.helped for one in actions if isinstance(one, RestartOutcome)]


def test_a_deaf_pod_is_evicted_and_its_successor_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with working(cluster, tmp_path, timeout=0.3) as doctor:
            actions = await doctor.rounds(MINUTE)
            assert reasons(actions) == [
                (RemedyVerb.REFUSE, RemedyReason.TOO_SHORT),
                (RemedyVerb.RESTART, RemedyReason.SICK),
            ]
            assert outcomes(await doctor.rounds(1)) == [True]
            assert (doctor.report.answering, doctor.report.pods) == (2, 2)
            assert doctor.repairer.evictions == {Eviction.DONE: 1}
            assert doctor.repairer.outcomes == {True: 1}

    with caplog.at_level(logging.INFO, "kubesonar.doctor"), dns_cluster(SUCCESSOR) as cluster:
        populate(cluster, 1, 2)
        cluster.pods[0].udp = dns_server.silent
        run(scenario())
        assert len(cluster.api.asked("create", "pods/eviction")) == 1
        events = {one["reason"]: one for one in cluster.api.store.all("events", lambda tree: True)[0]}
    assert (events["Sick"]["action"], events["Sick"]["type"]) == ("Restart", "Warning")
    assert (events["TooShort"]["action"], events["TooShort"]["type"]) == ("RefuseRestart", "Normal")
    said = [record.getMessage() for record in caplog.records if record.name == "kubesonar.doctor"]
    assert [line[:39] for line in said] == [
        "DNS pod coredns-1 is not restarted: it ",
        "restarting DNS pod coredns-1: it fails ",
        "the successor of coredns-1 answers afte",
    ]


def test_the_budget_outlives_the_doctor(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with working(cluster, tmp_path) as doctor:
            await doctor.rounds(MINUTE + 1)
        cluster.servers[SUCCESSOR].udp = dns_server.says(Rcode.SERVFAIL)
        async with working(cluster, tmp_path) as doctor:
            actions = await doctor.rounds(MINUTE)
            assert reasons(actions)[-1] == (RemedyVerb.REFUSE, RemedyReason.BUDGET)

    with dns_cluster(SUCCESSOR) as cluster:
        populate(cluster, 1, 2)
        sicken(cluster)
        run(scenario())
        assert len(cluster.api.asked("create", "pods/eviction")) == 1


def test_it_suggests_by_default_and_needs_no_lease(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with working(cluster, tmp_path, RemedyOptions(), held=False) as doctor:
            assert reasons(await doctor.rounds(MINUTE))[-1] == (RemedyVerb.SUGGEST, RemedyReason.SICK)

    with dns_cluster() as cluster:
        populate(cluster, 1, 2)
        sicken(cluster)
        run(scenario())
        assert cluster.api.asked("create", "pods/eviction") == []


def held_by_another(cluster: DnsCluster) -> None:
    lease = cluster.api.get("leases", "kubesonar-dns-doctor", "kube-system")
    lease["spec"]["holderIdentity"] = "doctor-1"
    cluster.api.put("leases", lease)


def no_memory(cluster: DnsCluster) -> None:
    cluster.api.refuse("patch", "leases")


def budget(cluster: DnsCluster) -> None:
    cluster.api.switches.evictions.budgets = [2]


def two_budgets(cluster: DnsCluster) -> None:
    cluster.api.switches.evictions.budgets = [1, 1]


@pytest.mark.parametrize(
    "hinder, eviction, reason",
    [
        (held_by_another, Eviction.NOT_TRIED, RemedyReason.BLOCKED),
        (no_memory, Eviction.NOT_TRIED, RemedyReason.BLOCKED),
        (budget, Eviction.BLOCKED, RemedyReason.BLOCKED),
        (two_budgets, Eviction.REFUSED, RemedyReason.BLOCKED),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, hinder: Callable[[DnsCluster], None], eviction: Eviction, reason: RemedyReason
) -> None:
    async def scenario() -> None:
        async with working(cluster, tmp_path) as doctor:
            await doctor.rounds(MINUTE)
            assert reasons(await doctor.rounds(1, period=5.0)) == [(RemedyVerb.REFUSE, reason)]
            assert doctor.repairer.evictions == {eviction: 1}

    with dns_cluster() as cluster:
        populate(cluster, 1, 2)
        sicken(cluster)
        hinder(cluster)
        run(scenario())
        assert len(cluster.api.store.all("pods", lambda tree: True)[0]) == 2


def test_a_pod_that_never_comes_back_holds_up_all_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with working(cluster, tmp_path) as doctor:
            await doctor.rounds(MINUTE)
            sicken(cluster, 1)
            actions = await doctor.rounds(25)
            assert outcomes(actions) == [False]
            assert reasons(actions)[-1] == (RemedyVerb.REFUSE, RemedyReason.PENDING)

    with dns_cluster(SUCCESSOR) as cluster:
        populate(cluster, 1, 2, 3)
        cluster.api.switches.evictions.successor = lambda pod: None
        sicken(cluster)
        run(scenario())
        assert len(cluster.api.asked("create", "pods/eviction")) == 1


def test_losing_the_lease_ends_it_and_getting_it_back_begins_with_what_was_written(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with working(cluster, tmp_path) as doctor:
            await doctor.rounds(2)
            doctor.repairer.hold(None)
            assert reasons(await doctor.rounds(MINUTE))[-1] == (RemedyVerb.REFUSE, RemedyReason.NOT_LEADING)
            doctor.repairer.hold(True)
            assert reasons(await doctor.rounds(1)) == [(RemedyVerb.RESTART, RemedyReason.SICK)]

    with dns_cluster(SUCCESSOR) as cluster:
        populate(cluster, 1, 2)
        sicken(cluster)
        run(scenario())


def test_not_ready_pods_are_asked_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with working(cluster, tmp_path) as doctor:
            assert reasons(await doctor.rounds(MINUTE))[-1] == (RemedyVerb.RESTART, RemedyReason.SICK)

    with dns_cluster(SUCCESSOR) as cluster:
        populate(cluster, 1, 2)
        pod = cluster.api.get("pods", "coredns-1", "kube-system")
        for row in pod["status"]["conditions"]:
            row["status"] = "False"
        cluster.api.put("pods", pod)
        cluster.pods[0].udp = cluster.pods[0].tcp = dns_server.says(Rcode.SERVFAIL)
        run(scenario())


def test_where_nothing_can_be_asked_nothing_is_known(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with working(cluster, tmp_path) as doctor:
            await doctor.rounds(1)
            assert "was not found" in doctor.duty.lost
            assert "does not say" in doctor.report.sentence

    with dns_cluster() as cluster:
        populate(cluster, 1, 2)
        for resource in ("services", "endpointslices"):
            cluster.api.refuse("list", resource)
        run(scenario())
