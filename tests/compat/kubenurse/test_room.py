"""The room among neighbours of the older kind, told by an API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.compat.kubenurse.rig import ALONE, Older, Running, neighbour, run, working
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.ports import free_port
from tests.waiting import until

ONLY_NEIGHBOURS = {**ALONE, "KUBENURSE_CHECK_NEIGHBOURHOOD": "true"}
HERE, LEFT, RIGHT = "127.0.0.1", "127.0.0.2", "127.0.0.3"


class Cluster(NamedTuple):
    """Three nodes with a pod each; ours is on node-1."""

    api: ApiServer
    port: int
    left: Older
    right: Older
    environ: dict[str, str]


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[Cluster]:
    """Everything that the room needs is there and well."""
    port = free_port(HERE, LEFT, RIGHT)
    with ApiServer() as api:
        for number, (name, address) in enumerate((("me", HERE), ("left", LEFT), ("right", RIGHT)), 1):
            api.put("nodes", shapes.node(f"node-{number}"))
            api.put("pods", shapes.pod(name, node=f"node-{number}", ips=(address,)))
        environ = {
            **api.in_cluster(folder),
            "KUBERNETES_SERVICE_DNS": "localhost",
            "KUBENURSE_SERVICE_ACCOUNT": str(folder),
            "KUBENURSE_SERVICE_URL": f"http://{HERE}:{port}",
            "KUBENURSE_INGRESS_URL": f"http://localhost:{port}",
            "KUBENURSE_NAMESPACE": "default",
            "KUBENURSE_NEIGHBOUR_FILTER": "app.kubernetes.io/name=kubesonar",
        }
        async with AsyncExitStack() as stack:
            left = await stack.enter_async_context(neighbour(LEFT, port))
            right = await stack.enter_async_context(neighbour(RIGHT, port))
            yield Cluster(api, port, left, right, environ)


@asynccontextmanager
async def at_work(folder: Path, **more: str) -> AsyncIterator[tuple[Cluster, Running]]:
    async with cluster(folder) as around, working({**around.environ, **more}, port=around.port) as room:
        yield around, room


def good(said: dict[str, object]) -> bool:
    return said["neighbourhood_state"] == "ok"


def test_the_older_tools_own_acceptance(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with at_work(tmp_path) as (around, room):
            said = await room.alive(good)
            last = said["last_check_result"]
            kinds = ("api_server_direct", "api_server_dns", "me_ingress", "me_service", "path_node-2", "path_node-3")
            assert {kind: last[kind] for kind in kinds} == dict.fromkeys(kinds, "ok")
            answer = await room.get("/alive")
            assert answer.status == 200
            assert '"neighbourhood_state": "ok"' in answer.text
            assert '"neighbourhood": [' in answer.text
            metrics = await room.metrics()
            assert "kubenurse_httpclient_request_" in metrics
            assert 'type="path_' in metrics
            assert "kubenurse_errors_total" not in metrics
            assert not any(request.token for request in around.api.asked("get", "") if request.path == "/version")

    run(scenario())


def test_neighbours_hear_who_asks(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with at_work(tmp_path, **ONLY_NEIGHBOURS) as (around, _):
            await until(lambda: around.left.asked and around.right.asked)
            for path, headers in (*around.left.asked, *around.right.asked):
                assert path == "/alwayshappy"
                assert headers["kubenurse-neighbour-origin"] == "me"
                assert headers["connection"] == "close"

    run(scenario())


def test_kn04_the_body_has_both_shapes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with at_work(tmp_path) as (_, room):
            said = await room.alive(good)
            assert list(said) == [
                "hostname",
                "headers",
                "user_agent",
                "request_uri",
                "remote_addr",
                "api_server_direct",
                "api_server_dns",
                "me_ingress",
                "me_service",
                "neighbourhood_state",
                "neighbourhood",
                "last_check_result",
            ]
            assert said["neighbourhood"] == [
                {
                    "PodName": name,
                    "PodIP": address,
                    "HostIP": "192.0.2.1",
                    "NodeName": node,
                    "NodeSchedulable": "Schedulable",
                    "Phase": "Running",
                    "Terminating": False,
                    "NodeHash": hash_,
                }
                for name, address, node, hash_ in (
                    ("left", LEFT, "node-2", 1691653199610663414),
                    ("right", RIGHT, "node-3", 12127347767512244844),
                )
            ]
            last = said["last_check_result"]
            assert list(last) == sorted(last)
            assert [list(one) for one in last["neighbourhood"]] == [
                ["PodName", "PodIP", "HostIP", "NodeName", "NodeHash"]
            ] * 2

    run(scenario())


def test_kn01_a_failure_is_500_and_says_what_failed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with at_work(tmp_path) as (around, room):
            await room.alive(good)
            around.left.status = 503
            said = await room.alive(lambda tree: tree["last_check_result"]["path_node-2"] != "ok")
            assert said["last_check_result"]["path_node-2"] == "503 Service Unavailable"
            assert said["last_check_result"]["path_node-3"] == "ok"
            assert (await room.get("/alive")).status == 500
            around.left.status = 200
            await room.alive(lambda tree: tree["last_check_result"]["path_node-2"] == "ok")
            assert 'kubenurse_errors_total{type="path_node-2",event="status_code_503"}' in await room.metrics()

    run(scenario())


def test_kn27_neighbours_come_and_go_and_cordoned_nodes_are_left_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with at_work(tmp_path) as (around, room):
            await room.alive(good)
            around.api.put("nodes", shapes.node("node-2", cordoned=True))
            await room.alive(lambda tree: [one["NodeName"] for one in tree["neighbourhood"]] == ["node-3"])
            around.api.delete("pods", "right")
            assert (await room.alive(lambda tree: not tree["neighbourhood"]))["neighbourhood_state"] == "ok"
            assert '"neighbourhood": []' in (await room.get("/alive")).text

    run(scenario())


def test_kn27_allow_unschedulable_looks_at_no_node(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with at_work(tmp_path, KUBENURSE_ALLOW_UNSCHEDULABLE="true") as (around, room):
            around.api.put("nodes", shapes.node("node-2", cordoned=True))
            said = await room.alive(good)
            assert {one["NodeSchedulable"] for one in said["neighbourhood"]} == {"Unknown"}
            assert len(said["neighbourhood"]) == 2
            assert not around.api.asked("list", "nodes")
            assert (await room.get("/ready")).status == 200

    run(scenario())


def test_kn28_without_the_right_to_see_nodes_neighbours_are_asked_all_the_same(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cluster(tmp_path) as around:
            around.api.refuse("*", "nodes")
            async with working(around.environ, port=around.port) as room:
                said = await room.alive(good)
                assert {one["NodeSchedulable"] for one in said["neighbourhood"]} == {"Unknown"}
                assert (await room.get("/ready")).status == 200

    run(scenario())


def test_kn25_without_the_right_to_see_pods_every_other_check_is_made_and_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cluster(tmp_path) as around:
            around.api.refuse("*", "pods")
            async with working(around.environ, port=around.port) as room:
                said = await room.alive(lambda tree: "forbidden" in tree["neighbourhood_state"].lower())
                assert said["me_service"] == said["api_server_direct"] == "ok"
                assert said["last_check_result"]["me_ingress"] == "ok"
                assert (await room.get("/alive")).status == 500

    run(scenario())


def test_kn25_without_neighbours_wanted_every_other_check_is_made_and_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with at_work(tmp_path, KUBENURSE_CHECK_NEIGHBOURHOOD="false") as (around, room):
            said = await room.alive()
            assert said["neighbourhood_state"] == "skipped"
            assert said["me_service"] == "ok"
            assert (await room.get("/alive")).status == 200
            assert not around.left.asked

    run(scenario())


def test_kn38_an_outage_of_the_api_server_leaves_the_neighbours_in_force(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with at_work(tmp_path) as (around, room):
            await room.alive(good)
            await asyncio.to_thread(around.api.stop)  # handshakes under way go on meanwhile
            said = await room.alive(lambda tree: tree["api_server_direct"] != "ok")
            assert len(said["neighbourhood"]) == 2
            count = len(around.left.asked)
            await until(lambda: len(around.left.asked) > count + 2)
            assert said["neighbourhood_state"] == "ok"

    run(scenario())


@pytest.mark.parametrize("neighbourhood", ["true", "false"])
def test_kn26_a_cordoned_node_takes_its_pod_out_of_service(tmp_path: Path, neighbourhood: str) -> None:
    async def scenario() -> None:
        environ = ALONE | {"KUBENURSE_CHECK_NEIGHBOURHOOD": neighbourhood}
        async with at_work(tmp_path, **environ) as (around, room):
            assert (await room.get("/ready")).status == 200
            around.api.put("nodes", shapes.node("node-1", cordoned=True))
            await room.ready(503)
            around.api.put("nodes", shapes.node("node-1"))
            await room.ready(200)
            around.api.delete("nodes", "node-1")
            await room.ready(503)
            assert await room.alive()

    run(scenario())


def test_kn24_in_the_host_network_a_pod_does_not_ask_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with at_work(tmp_path, **ONLY_NEIGHBOURS, KUBENURSE_POD_NAME="node-1") as (around, room):
            said = await room.alive(good)
            assert [one["PodName"] for one in said["neighbourhood"]] == ["left", "right"]
            around.api.put("nodes", shapes.node("node-1", cordoned=True))
            await room.ready(503)

    run(scenario())


def test_kn29_both_families_of_a_neighbour_are_asked(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cluster(tmp_path) as around:
            around.api.put("pods", shapes.pod("me", node="node-1", ips=(HERE, "fd00::1")))
            around.api.put("pods", shapes.pod("left", node="node-2", ips=(LEFT, "::1")))
            async with working({**around.environ, **ONLY_NEIGHBOURS}, port=around.port) as room:
                said = await room.alive(lambda tree: "path_node-2" in tree["last_check_result"])
                assert around.left.asked
                assert f'Get "http://[::1]:{around.port}' in said["last_check_result"]["path_node-2"]
                assert said["last_check_result"]["path_node-3"] == "ok"

    run(scenario())


def test_kn23_the_limit_bounds_who_is_asked_but_not_who_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with at_work(tmp_path, KUBENURSE_NEIGHBOUR_LIMIT="1") as (around, room):
            said = await room.alive(good)
            assert len(said["neighbourhood"]) == 2
            assert [kind for kind in said["last_check_result"] if kind.startswith("path_")] == ["path_node-3"]
            assert not around.left.asked

    run(scenario())
