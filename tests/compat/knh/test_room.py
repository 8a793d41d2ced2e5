"""Rooms as they run, with the API server's double, real HTTP and receivers of webhooks."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from kubesonar.config import ConfigError
from tests.compat.knh.rig import HURRY, NAMESPACE, SERVICE, Older, behind_service, call, environ, ip, pod, pods
from tests.notify.receivers import Receiver, run, status
from tests.waiting import until


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


_TEXT = {"type": "string"}
_PEER = _object(id=_TEXT, address=_TEXT, alive={"type": "boolean"}, node_name=_TEXT)
_WHO = {"coordinator": _TEXT, "coordinator_address": _TEXT}
PEER_STATUS = _object(peer=_PEER, **_WHO)
CLUSTER_STATUS = _object(peer_map={"type": "array", "items": _PEER}, **_WHO)
"""What the older tool's README requires of both bodies (JSON Schema draft 4), and no further keys."""


def told(receiver: Receiver, schema: dict[str, Any]) -> list[Any]:
    """The bodies so far, each valid and with its keys in the documented order."""
    bodies = [json.loads(request.body) for request in receiver.requests]
    for body in bodies:
        Draft4Validator(schema).validate(body)
        assert list(body) == schema["required"]
        states = [body["peer"]] if "peer" in body else body["peer_map"]
        assert all(list(state) == _PEER["required"] for state in states)
    return bodies


def test_three_pods_elect_the_greatest_and_tell_a_death_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Receiver().serve() as peers, Receiver().serve() as cluster, pods(tmp_path, 1, 2, 3) as (_, running):
            urls = {"PEER_STATUS_URL": peers.url, "CLUSTER_STATUS_URL": cluster.url}
            for number in (1, 2, 3):
                running.start(number, **urls)
            await running.settle(3)
            await until(lambda: any(len(body["peer_map"]) == 2 for body in told(cluster, CLUSTER_STATUS)))
            assert told(cluster, CLUSTER_STATUS)[-1] == {
                "peer_map": [
                    {"id": pod(1).id, "address": pod(1).address, "alive": True, "node_name": "node-1"},
                    {"id": pod(2).id, "address": pod(2).address, "alive": True, "node_name": "node-2"},
                ],
                "coordinator": pod(3).id,
                "coordinator_address": pod(3).address,
            }
            await running.stop(1)
            await peers.heard(1)
            before = len(cluster.requests)
            await cluster.heard(before + 2)
            assert told(peers, PEER_STATUS) == [
                {
                    "peer": {
                        "id": pod(1).id,
                        "address": pod(1).address,
                        "alive": False,
                        "node_name": "node-1",
                    },
                    "coordinator": pod(3).id,
                    "coordinator_address": pod(3).address,
                }
            ]
            assert [state["alive"] for state in told(cluster, CLUSTER_STATUS)[-1]["peer_map"]] == [False, True]

    run(scenario())


def test_knh15_a_coordinator_that_dies_is_told_by_the_next_and_nobody_else_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            Receiver().serve() as peers,
            Receiver().serve() as cluster,
            pods(tmp_path, 1, 2, 3) as (_, running),
        ):
            for number in (1, 2, 3):
                running.start(number, PEER_STATUS_URL=peers.url, CLUSTER_STATUS_URL=cluster.url)
            await running.settle(3)
            await running.stop(1)
            await peers.heard(1)
            await cluster.heard(len(cluster.requests) + 3)  # elections, whose announcements name who was told
            await running.stop(3)
            await peers.heard(2)
            await cluster.heard(len(cluster.requests) + 3)
            deaths = [(body["coordinator"], body["peer"]["node_name"]) for body in told(peers, PEER_STATUS)]
            assert deaths == [(pod(3).id, "node-1"), (pod(2).id, "node-3")]

    run(scenario())


def test_knh21_a_return_is_told_where_asked_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Receiver().serve() as peers, pods(tmp_path, 1, 2) as (_, running):
            running.start(2, PEER_STATUS_URL=peers.url, KNH_TELL_RETURN="true")
            running.start(1)
            await running.settle(2)
            await running.stop(1)
            await peers.heard(1)
            running.start(1)
            await peers.heard(2)
            assert [body["peer"]["alive"] for body in told(peers, PEER_STATUS)] == [False, True]

    run(scenario())


def test_knh09_a_webhook_that_fails_is_told_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        answers = iter([status(500), b""])
        receiver = Receiver(lambda request: next(answers, status(201)))
        async with receiver.serve() as peers, pods(tmp_path, 1, 2) as (_, running):
            running.start(2, PEER_STATUS_URL=peers.url)
            running.start(1)
            await running.settle(2)
            await running.stop(1)
            await peers.heard(3)
            assert len({request.id for request in peers.requests}) == 1

    run(scenario())


@pytest.mark.parametrize("reachable", [True, False])
def test_knh03_only_who_passes_the_sanity_check_tells(tmp_path: Path, reachable: bool) -> None:
    async def scenario() -> None:
        async with Receiver().serve() as peers, Receiver().serve() as cluster, pods(tmp_path, 1, 2) as (_, running):
            async with Older(9).serve() as well:
                url = f"http://{well.own.address if reachable else f'{ip(200)}:1'}/"
                running.start(2, PEER_STATUS_URL=peers.url, CLUSTER_STATUS_URL=cluster.url, SANITY_CHECK_URL=url)
                running.start(1)
                await running.settle(2)
                await running.stop(1)
                if reachable:
                    await peers.heard(1)
                else:
                    await asyncio.sleep(3 * HURRY)
                    assert all(state["alive"] for body in told(cluster, CLUSTER_STATUS) for state in body["peer_map"])
            assert len(peers.requests) == reachable

    run(scenario())


def test_knh28_posts_and_the_sanity_check_go_through_a_proxy_and_calls_to_peers_do_not(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Receiver().serve() as proxy, pods(tmp_path, 1, 2) as (_, running):
            given = {"HTTP_PROXY": f"http://127.0.0.1:{proxy.port}", "SANITY_CHECK_URL": "http://sanity.invalid/"}
            running.start(2, PEER_STATUS_URL="http://hooks.invalid/peer", **given)
            running.start(1)
            await running.settle(2)
            await running.stop(1)
            await until(lambda: any("/peer" in request.line for request in proxy.requests))
            lines = {request.line for request in proxy.requests}
        assert lines == {"GET http://sanity.invalid/ HTTP/1.1", "POST http://hooks.invalid/peer HTTP/1.1"}

    run(scenario())


def test_a_greater_older_pod_is_obeyed_and_its_death_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Receiver().serve() as peers, pods(tmp_path, 1, 2, 5) as (_, running):
            async with Older(5).serve() as older:
                running.start(1, PEER_STATUS_URL=peers.url)
                running.start(2, PEER_STATUS_URL=peers.url)
                await until(lambda: older.asked.count("/ping") > 4)
                assert b"200 OK" in await older.announce(1)
                await older.announce(2)
                await running.settle(5)
                assert not any(target.startswith("/coordinator") for target in older.asked)
            await running.settle(2)
            await peers.heard(1)
            assert told(peers, PEER_STATUS)[0]["peer"]["id"] == pod(5).id

    run(scenario())


def test_a_lesser_older_pod_is_told_who_is_the_coordinator(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Older(0).serve() as older, pods(tmp_path, 0, 2) as (_, running):
            running.start(2)
            await until(lambda: f"/coordinator?id={pod(2).id}" in older.asked)
            await older.announce(2)
            told = older.asked.count(f"/coordinator?id={pod(2).id}")
            await until(lambda: older.asked.count(f"/coordinator?id={pod(2).id}") > told + 1)
            assert running.coordinators() == {2: pod(2).id}

    run(scenario())


def test_knh16_a_stranger_becomes_no_coordinator(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with pods(tmp_path, 1, 2) as (_, running):
            running.start(1)
            running.start(2)
            await running.settle(2)
            stranger = Older(9)
            for claimed in ("zzz", stranger.own.id, pod(1).id, ""):
                assert b"200 OK" in await stranger.announce(2, claimed)
            assert set(running.coordinators().values()) == {pod(2).id}

    run(scenario())
    assert "claims to be the coordinator zzz" in caplog.text


def test_knh08_pods_that_terminate_leave_without_a_word(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            Receiver().serve() as peers,
            Receiver().serve() as cluster,
            pods(tmp_path, 1, 2, 3) as (api, running),
        ):

            def listed() -> list[str]:
                return [state["node_name"] for body in told(cluster, CLUSTER_STATUS)[-1:] for state in body["peer_map"]]

            for number in (1, 2, 3):
                running.start(number, PEER_STATUS_URL=peers.url, CLUSTER_STATUS_URL=cluster.url)
            await running.settle(3)
            behind_service(api, 1, 2, 3, terminating=1)
            await until(lambda: listed() == ["node-2"])
            behind_service(api, 2, 3)
            await running.stop(1)
            before = len(cluster.requests)
            await cluster.heard(before + 2)
            assert listed() == ["node-2"]
            assert peers.requests == []

    run(scenario())


@pytest.mark.parametrize("dies", [1, 3])
def test_knh08_a_pod_that_is_deleted_by_force_is_reported_like_any_other_also_a_coordinator(
    tmp_path: Path, dies: int
) -> None:
    async def scenario() -> None:
        async with Receiver().serve() as peers, pods(tmp_path, 1, 2, 3) as (api, running):
            for number in (1, 2, 3):
                running.start(number, PEER_STATUS_URL=peers.url, SEND_MAX_RETRIES="2")
            await running.settle(3)
            await running.stop(dies)
            behind_service(api, *{1, 2, 3} - {dies})
            await peers.heard(1)
            (body,) = told(peers, PEER_STATUS)
            assert (body["peer"]["node_name"], body["peer"]["alive"]) == (f"node-{dies}", False)

    run(scenario())


def test_knh07_a_peer_that_the_api_calls_unready_while_it_is_tried_is_told_dead(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Receiver().serve() as peers, pods(tmp_path, 1, 2) as (api, running):
            running.start(2, PEER_STATUS_URL=peers.url, SEND_COOLDOWN_PERIOD="1")
            running.start(1)
            await running.settle(2)
            await running.stop(1)
            slices = api.get("endpointslices", "service-knh-x1", NAMESPACE)
            slices["endpoints"][0]["conditions"] = {"ready": False, "serving": False, "terminating": False}
            api.put("endpointslices", slices)
            await peers.heard(1)
            assert told(peers, PEER_STATUS)[0]["peer"]["id"] == pod(1).id

    run(scenario())


def test_knh14_endpoints_will_do_where_slices_are_not_permitted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with pods(tmp_path, 1, 2) as (api, running):
            api.refuse("*", "endpointslices")
            running.start(1)
            running.start(2)
            await running.settle(2)
            asked = api.asked("list", "endpoints")[0]
            assert (asked.namespace, asked.query["fieldSelector"]) == (NAMESPACE, f"metadata.name={SERVICE}")

    run(scenario())


def test_elections_go_on_without_the_api_server(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Receiver().serve() as peers, pods(tmp_path, 1, 2, 3) as (api, running):
            for number in (1, 2, 3):
                running.start(number, PEER_STATUS_URL=peers.url)
            await running.settle(3)
            await asyncio.to_thread(api.stop)  # a client may be in the middle of a handshake with it
            await running.stop(3)
            await running.settle(2)
            await peers.heard(1)
            assert told(peers, PEER_STATUS)[0]["peer"]["id"] == pod(3).id

    run(scenario())


def test_knh20_the_endpoints_answer_as_they_did(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with pods(tmp_path, 1) as (_, running):
            running.start(1)
            await running.settle(1)
            for method in ("GET", "POST"):
                ping = await call(pod(1), "/ping", method=method)
                assert ping.startswith(b"HTTP/1.1 200 OK\r\n")
                assert b"content-type: text/plain; charset=utf-8\r\n" in ping
                assert ping.endswith(b"\r\n\r\npong")
            coordinator = await call(pod(1), "/coordinator")
            assert b"content-length: 0\r\n" in coordinator
            assert b"content-type" not in coordinator
            for path in ("/", "/metrics", "/ping/"):
                other = await call(pod(1), path)
                assert other.startswith(b"HTTP/1.1 404 Not Found\r\n")
                assert other.endswith(b"\r\n\r\n404 page not found\n")

    run(scenario())


def test_knh22_a_pod_answers_before_it_is_ready(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with pods(tmp_path, 2) as (_, running):
            running.start(1)
            await asyncio.sleep(0.05)
            assert (await call(pod(1), "/ping")).endswith(b"pong")

    run(scenario())


def test_knh24_any_answer_is_a_sign_of_life(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Receiver().serve() as cluster, Older(1, status=500).serve(), pods(tmp_path, 1, 2) as (_, running):
            running.start(2, CLUSTER_STATUS_URL=cluster.url)
            await until(lambda: any(body["peer_map"] for body in told(cluster, CLUSTER_STATUS)))
            assert told(cluster, CLUSTER_STATUS)[-1]["peer_map"][0]["alive"]

    run(scenario())


def test_an_address_that_cannot_be_listened_on_is_said(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with pods(tmp_path, 1) as (_, running):
            running.start(1, KNH_LISTEN="192.0.2.1:80")
            with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1:80"):
                await running.stop(1)

    run(scenario())
    assert "KNH_LISTEN" not in environ(1)
