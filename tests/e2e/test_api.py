"""The room kube against the API double and, where one is given, a real cluster: see README.md."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest

from kubesonar.kube.auth.loading_rules import from_kubeconfig
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.reflector import Reflector
from kubesonar.kube.resource import NODES, Resource, leases, pods
from kubesonar.kube.types import Lease, Node, Pod
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import QUICK, run
from tests.kube.shapes import Version
from tests.waiting import until

NAME = f"kubesonar-test-{os.getpid()}"
PATH = leases("default")
LEASES = Resource(PATH, Lease, fields=f"metadata.name={NAME}")


@pytest.fixture(params=["double", "cluster"])
def kubeconfig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of something that speaks Kubernetes."""
    if request.param == "cluster":
        if os.environ.get("KUBESONAR_E2E") != "1" or not os.environ.get("KUBECONFIG"):
            pytest.skip("no cluster is given: KUBESONAR_E2E=1 and KUBECONFIG (tests/e2e/README.md)")
        yield os.environ["KUBECONFIG"]
        return
    with ApiServer() as api:
        api.populate(3)
        api.put("pods", shapes.pod("dns", namespace="kube-system"))
        yield api.kubeconfig(tmp_path / "config")


async def _make(client: Client, holder: str) -> Lease:
    return await client.send("POST", PATH, msgspec.json.encode(shapes.lease(NAME, holder)), Lease)


async def _remove(client: Client) -> None:
    await client.send("DELETE", f"{PATH}/{NAME}", b"", dict)


def test_a_supported_version(kubeconfig: str) -> None:
    async def scenario() -> Version:
        client = Client(from_kubeconfig(kubeconfig))
        try:
            return await client.get("/version", Version)
        finally:
            client.close()

    major, minor, *_ = run(scenario()).git_version.removeprefix("v").split(".")
    assert major == "1"
    assert int(minor) >= 28


def test_the_cache_and_an_exact_list_agree_on_the_nodes(kubeconfig: str) -> None:
    async def scenario() -> None:
        client, nodes = Client(from_kubeconfig(kubeconfig)), Resource(NODES, Node)
        try:
            cached, exact = await client.list(nodes), await client.list(nodes, "")
        finally:
            client.close()
        assert {node.metadata.name for node in cached.items} == {node.metadata.name for node in exact.items}
        assert (cached.skipped, exact.skipped) == (0, 0)
        assert cached.version
        for node in exact.items:
            assert any(condition.type == "Ready" for condition in node.status.conditions)

    run(scenario())


def test_every_pod_of_the_system_fits(kubeconfig: str) -> None:
    async def scenario() -> None:
        client = Client(from_kubeconfig(kubeconfig))
        try:
            listing = await client.list(Resource(pods("kube-system"), Pod))
        finally:
            client.close()
        assert listing.items
        assert listing.skipped == 0
        assert all(pod.spec.node_name for pod in listing.items if pod.status.phase == "Running")

    run(scenario())


def test_a_lease_is_watched_from_its_making_to_its_end(kubeconfig: str) -> None:
    async def scenario() -> list[str]:
        client = Client(from_kubeconfig(kubeconfig))
        seen: list[str] = []
        try:
            version = (await client.list(LEASES)).version
            async with aclosing(client.watch(LEASES, version, seconds=30, silence=60)) as events:
                async for event in events:
                    if event.type == "BOOKMARK" and seen:
                        continue
                    seen.append(f"{event.type} {event.object.spec.holder_identity if event.object else ''}".strip())
                    if seen == ["BOOKMARK"]:
                        made = await _make(client, "me")
                        await _contest(client, made)
                        await _remove(client)
                    if event.type == "DELETED":
                        break
        finally:
            client.close()
        return seen

    assert run(scenario()) == ["BOOKMARK", "ADDED me", "MODIFIED you", "DELETED you"]


async def _contest(client: Client, made: Lease) -> None:
    """One who has read an older version than the present one does not win."""
    yours = msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, holder_identity="you"))
    await client.send("PUT", f"{PATH}/{NAME}", msgspec.json.encode(yours), Lease)
    with pytest.raises(ApiError) as caught:
        await client.send("PUT", f"{PATH}/{NAME}", msgspec.json.encode(made), Lease)
    assert (caught.value.status, caught.value.reason) == (409, "Conflict")


def test_a_reflector_follows(kubeconfig: str) -> None:
    async def scenario() -> None:
        client = Client(from_kubeconfig(kubeconfig))
        reflector = Reflector(client, LEASES, lambda: None, rng=random.Random(1), periods=QUICK)
        task = asyncio.create_task(reflector.run())
        try:
            await until(lambda: reflector.synced)
            assert not reflector.items
            await _make(client, "me")
            await until(lambda: f"default/{NAME}" in reflector.items)
            await _remove(client)
            await until(lambda: not reflector.items)
            assert (reflector.trouble, reflector.forbidden) == ("", "")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            client.close()

    run(scenario())


def test_what_does_not_exist_is_said_so(kubeconfig: str) -> None:
    async def scenario() -> None:
        client = Client(from_kubeconfig(kubeconfig))
        try:
            with pytest.raises(ApiError) as caught:
                await client.get(f"{PATH}/{NAME}-none", Lease)
        finally:
            client.close()
        assert (caught.value.status, caught.value.reason) == (404, "NotFound")

    run(scenario())
