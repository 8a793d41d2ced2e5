"""A doctor at work on real DNS servers, the API double and a clock that a test turns."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kubesonar.core.probing.resolv_conf import ResolvConf
from kubesonar.core.remedy.dns_round import DnsStandpoint
from kubesonar.core.remedy.events import RemedyAction, RoundReport
from kubesonar.core.remedy.options import RemedyOptions, RepairMode
from kubesonar.doctor.look import Looker, LookOptions
from kubesonar.doctor.repair.duty import RepairDuty
from kubesonar.doctor.repair.eviction import PodRestarter
from kubesonar.doctor.repair.facts import FactsReader
from kubesonar.doctor.repair.lease_memory import LeaseMemory
from kubesonar.doctor.repair.repairer import CONTROLLER, Repairer
from kubesonar.doctor.rights import DOCTOR_LEASE
from kubesonar.kube.event_recorder import EventRecorder
from kubesonar.kube.resource import leases
from tests.clocks import TurnedClock
from tests.doctor.cluster import DnsCluster
from tests.doctor.repair.kubernetes import dns_pod, workload
from tests.kube import shapes
from tests.kube.running import client_of

ON = RemedyOptions(repair=RepairMode.ON)
PERIOD = 15.0
LONG_AGO = "2024-01-01T00:00:00Z"


def populate(cluster: DnsCluster, *numbers: int, holder: str = "doctor-0") -> None:
    """Give the cluster its pods, nodes and workloads, and the Lease to that holder. A pod that is evicted is followed
    by one of the number after the last."""
    api, last = cluster.api, [max(numbers)]
    for number in (*numbers, *range(max(numbers) + 1, 9)):
        api.put("nodes", shapes.node(f"node-{number}"))
    for number in numbers:
        api.put("pods", dns_pod(number, since=LONG_AGO))
    api.put("deployments", workload("coredns"))
    lease = {"metadata": {"name": DOCTOR_LEASE, "namespace": "kube-system"}, "spec": {"holderIdentity": holder}}
    api.put("leases", lease)

    def successor(pod: dict[str, Any]) -> dict[str, Any]:
        last[0] += 1
        return dns_pod(last[0], since=LONG_AGO)

    api.switches.evictions.successor = successor


class WorkingDoctor:
    """The duty, its repairer, and the clock that both use."""

    def __init__(self, cluster: DnsCluster, folder: Path, options: RemedyOptions, holder: str, timeout: float) -> None:
        self.clock = TurnedClock()
        self.client = client_of(cluster.api, folder)
        memory = LeaseMemory(self.client, f"{leases('kube-system')}/{DOCTOR_LEASE}", holder, self.clock)
        recorder = EventRecorder(self.client, CONTROLLER, holder, self.clock)
        self.repairer = Repairer(options, PodRestarter(self.client), memory, recorder, self.clock)
        self.looker = Looker(
            client_of(cluster.api, folder),
            LookOptions(timeout=timeout),
            ResolvConf(),
            inside=True,
            clock=self.clock,
            rng=random.Random(1),
        )
        facts = FactsReader(self.client, "kube-system", self.clock)
        self.duty = RepairDuty(self.looker, facts, self.repairer, DnsStandpoint(name=holder), self.clock)

    async def rounds(self, count: int, period: float = PERIOD) -> list[RemedyAction]:
        """Make so many rounds, `period` seconds apart, and return what was done in all of them."""
        done: list[RemedyAction] = []
        for _ in range(count):
            self.clock.ahead += period
            done += await self.duty.round()
        return done

    @property
    def report(self) -> RoundReport:
        """The report of the last round."""
        assert self.repairer.report is not None
        return self.repairer.report


@asynccontextmanager
async def working(
    cluster: DnsCluster,
    folder: Path,
    options: RemedyOptions = ON,
    *,
    holder: str = "doctor-0",
    held: bool = True,
    timeout: float = 5.0,
) -> AsyncIterator[WorkingDoctor]:
    """A doctor that holds the Lease, or not, and waits `timeout` seconds for an answer."""
    doctor = WorkingDoctor(cluster, folder, options, holder, timeout)
    doctor.repairer.hold(held)
    try:
        yield doctor
    finally:
        await doctor.looker.close()
        doctor.client.close()
