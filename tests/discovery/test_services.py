"""The DNS Service, its pods and the own Service, as a real API server tells of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kubesonar.core.probing.cluster_facts import DnsPod, ServiceEndpoint
from kubesonar.core.probing.cluster_options import ClusterOptions, OwnServiceOptions
from kubesonar.discovery.service_parsing import dns_pods, service_endpoints, vips
from kubesonar.discovery.services import ServicesUpdate, ServiceWatch
from kubesonar.kube.types import EndpointSlice, Service
from kubesonar.net.clock import SystemClock
from tests.kube.apiserver import ApiServer
from tests.kube.running import QUICK, client_of, run, until

OPTIONS = ClusterOptions(service=OwnServiceOptions(name="kubesonar"))


def slice_(name: str = "kube-dns-a", *addresses: str, **conditions: bool | None) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "kube-system", "labels": {"kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [address],
                "conditions": {"ready": True, "serving": True, "terminating": False, **conditions},
                "targetRef": {"kind": "Pod", "namespace": "kube-system", "name": f"coredns-{address[-1]}"},
            }
            for address in addresses
        ],
        "ports": [
            {"name": "metrics", "port": 9153, "protocol": "TCP"},
            {"name": "dns-tcp", "port": 1053, "protocol": "TCP"},
            {"name": "dns", "port": 1053, "protocol": "UDP"},
        ],
    }


def service(name: str, *addresses: str, namespace: str = "kube-system", port: int = 53) -> dict[str, Any]:
    ports = [{"port": port, "protocol": "UDP"}, {"port": port, "protocol": "TCP"}]
    spec = {"clusterIP": addresses[0], "clusterIPs": list(addresses), "ports": ports}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def read(*trees: dict[str, Any]) -> list[EndpointSlice]:
    return [msgspec.convert(tree, EndpointSlice) for tree in trees]


def test_pods_of_both_families_with_their_ports() -> None:
    v6 = slice_("kube-dns-b", "fd00::2") | {"addressType": "IPv6"}
    assert dns_pods(read(slice_("a", "10.0.0.2", "10.0.0.3"), v6)) == (
        DnsPod("coredns-2", "10.0.0.2", 1053, 1053),
        DnsPod("coredns-2", "fd00::2", 1053, 1053),
        DnsPod("coredns-3", "10.0.0.3", 1053, 1053),
    )


@pytest.mark.parametrize(
    ("conditions", "asked"),
    [
        ({"ready": None, "serving": None, "terminating": None}, True),
        ({"ready": False, "serving": True}, False),
        ({"ready": True, "terminating": True}, False),
    ],
)
def test_only_pods_in_rotation(conditions: dict[str, bool | None], asked: bool) -> None:
    assert bool(dns_pods(read(slice_("a", "10.0.0.2", **conditions)))) is asked


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1", "::", "dns.example", "10.0.0.1; rm", ""])
def test_what_is_no_pods_address_is_not_asked(address: str) -> None:
    tree = slice_("a", "10.0.0.2")
    tree["endpoints"][0]["addresses"] = [address]
    assert dns_pods(read(tree)) == ()


def test_a_pod_with_a_name_that_is_none_goes_by_its_address() -> None:
    tree = slice_("a", "10.0.0.2")
    tree["endpoints"][0]["targetRef"]["name"] = "\x1b[31mred"
    assert dns_pods(read(tree))[0].name == "10.0.0.2"


def test_ports_that_are_missing_or_impossible_are_not_asked() -> None:
    tree = slice_("a", "10.0.0.2") | {"ports": [{"port": 70_000, "protocol": "UDP"}, {"port": None, "protocol": "TCP"}]}
    assert dns_pods(read(tree)) == (DnsPod("coredns-2", "10.0.0.2", 0, 0),)
    assert dns_pods(read(tree | {"ports": None}))[0].udp == 0


def test_addresses_of_services() -> None:
    dual = msgspec.convert(service("kube-dns", "10.96.0.10", "fd00:96::a"), Service)
    assert vips([dual]) == ("10.96.0.10", "fd00:96::a")
    assert service_endpoints([dual]) == (ServiceEndpoint("10.96.0.10", 53), ServiceEndpoint("fd00:96::a", 53))
    headless = msgspec.convert(service("kube-dns", "None"), Service)
    assert not vips([headless])
    assert not service_endpoints([headless])


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
