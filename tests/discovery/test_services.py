"""The DNS Service, its pods and the own Service, as a real API server tells of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path

from kubesonar.core.probing.cluster_facts import DnsPod, ServiceEndpoint
from kubesonar.core.probing.cluster_options import ClusterOptions, OwnServiceOptions
from kubesonar.discovery.services import ServicesUpdate, ServiceWatch
from kubesonar.net.clock import SystemClock
from tests.discovery.service_objects import service, slice_
from tests.kube.apiserver import ApiServer
from tests.kube.running import QUICK, client_of, run
from tests.waiting import until

OPTIONS = ClusterOptions(service=OwnServiceOptions(name="kubesonar"))


@asynccontextmanager
async def watching(
    api: ApiServer, folder: Path, limit: int = 100
) -> AsyncIterator[tuple[ServiceWatch, list[ServicesUpdate]]]:
    told: list[ServicesUpdate] = [ServicesUpdate()]
    client = client_of(api, folder)
    watch = ServiceWatch(
        client, OPTIONS, True, limit, told.append, rng=random.Random(7), clock=SystemClock(), reflector=QUICK
    )
    task = asyncio.create_task(watch.run())
    try:
        yield watch, told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        client.close()


def populated(api: ApiServer) -> None:
    api.put("endpointslices", slice_("kube-dns-a", "10.0.0.2"))
    other = slice_("metrics-a", "10.0.0.9")
    other["metadata"]["labels"]["kubernetes.io/service-name"] = "metrics-server"
    api.put("endpointslices", other)
    api.put("services", service("kube-dns", "10.96.0.10"))
    api.put("services", service("kubesonar", "10.96.0.77", namespace="default", port=7473))


ALL = ServicesUpdate(
    (DnsPod("coredns-2", "10.0.0.2", 1053, 1053),),
    ("10.96.0.10",),
    (ServiceEndpoint("10.96.0.77", 7473),),
    complete=True,
)


def test_pods_come_and_go(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with watching(api, tmp_path) as (watch, told):
            await until(lambda: told[-1] == ALL)
            assert watch.listed == inf
            api.put("endpointslices", slice_("kube-dns-a", "10.0.0.2", "10.0.0.3"))
            await until(lambda: len(told[-1].dns_pods) == 2)
            api.delete("endpointslices", "kube-dns-a", "kube-system")
            await until(lambda: not told[-1].dns_pods)

    with ApiServer() as api:
        populated(api)
        run(scenario(api))


def test_a_right_that_is_missing_is_said_and_costs_nothing_else(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with watching(api, tmp_path) as (_, told):
            await until(lambda: told[-1].vips and told[-1].service and told[-1].lost)
            assert told[-1].lost == (
                "DNS pods are not asked one by one: no right to list endpointslices in namespace kube-system",
            )

    with ApiServer() as api:
        populated(api)
        api.refuse("list", "endpointslices")
        run(scenario(api))


def test_an_outage_leaves_in_force_what_was_told_and_is_said(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with watching(api, tmp_path) as (_, told):
            await until(lambda: told[-1] == ALL)
            await asyncio.to_thread(api.stop)  # a client may be in the middle of a handshake with it
            await until(lambda: len(told[-1].lost) == 3)
            assert told[-1].dns_pods == ALL.dns_pods
            assert told[-1].lost[0].startswith("endpointslices in namespace kube-system may be out of date: ")
            api.start()
            await until(lambda: told[-1] == ALL)

    with ApiServer() as api:
        populated(api)
        run(scenario(api))


def test_many_agents_do_not_watch_and_look_again_when_a_pod_does_not_answer(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with watching(api, tmp_path, limit=0) as (watch, told):
            await until(lambda: told[-1] == ALL)
            assert not api.asked("watch")
            before = watch.listed
            api.put("endpointslices", slice_("kube-dns-a", "10.0.0.3"))
            watch.recheck()
            await until(lambda: told[-1].dns_pods[0].address == "10.0.0.3")
            assert before < watch.listed <= time.time()

    with ApiServer() as api:
        populated(api)
        run(scenario(api))
