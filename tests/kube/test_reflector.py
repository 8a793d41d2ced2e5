from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from kubesonar.kube.reflector import Reflector
from kubesonar.kube.resource import NODES, Resource
from kubesonar.kube.types import Node, Pod
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import QUICK, reflecting, run
from tests.waiting import until

Pods = Reflector[Pod]


def _scenario(
    folder: Path,
    work: Callable[[ApiServer, Pods], Awaitable[None]],
    before: Callable[[ApiServer], object] = lambda api: None,
    synced: bool = True,
    changed: Callable[[], None] = lambda: None,
    **options: Any,
) -> ApiServer:
    """A reflector of pods that knows the pod a; `work` with it, and the double afterwards."""

    async def scenario(api: ApiServer) -> None:
        quick = msgspec.structs.replace(QUICK, **options)
        async with reflecting(api, folder, options=quick, changed=changed) as pods:
            if synced:
                await until(lambda: pods.synced and api.asked("watch"))
            await work(api, pods)

    with ApiServer() as api:
        api.put("pods", shapes.pod("a"))
        before(api)
        run(scenario(api))
    return api


def test_follows_what_happens(tmp_path: Path) -> None:
    async def work(api: ApiServer, pods: Pods) -> None:
        assert set(pods.items) == {"default/a"}
        api.put("pods", shapes.pod("b", node="node-2", ips=("10.0.2.2", "fd00::2")))
        await until(lambda: "default/b" in pods.items)
        assert [ip.ip for ip in pods.items["default/b"].status.pod_ips] == ["10.0.2.2", "fd00::2"]
        api.delete("pods", "a")
        await until(lambda: "default/a" not in pods.items)
        assert (pods.trouble, pods.forbidden) == ("", "")

    api = _scenario(tmp_path, work)
    assert (len(api.asked("list")), len(api.asked("watch"))) == (1, 1)


def test_changed_is_called_for_what_is_read_here_only(tmp_path: Path) -> None:
    calls: list[None] = []

    async def work(api: ApiServer, pods: Pods) -> None:
        calls.clear()
        before = pods.items["default/a"].metadata.resource_version
        api.put("pods", shapes.pod("a", bulk=10))  # more of what nobody here reads
        await until(lambda: pods.items["default/a"].metadata.resource_version != before)
        assert not calls
        api.put("pods", shapes.pod("a", ready=False))
        await until(lambda: calls)
        assert len(calls) == 1

    _scenario(tmp_path, work, changed=lambda: calls.append(None))


def test_a_torn_watch_is_resumed_without_a_list_and_without_a_loss(tmp_path: Path) -> None:
    async def work(api: ApiServer, pods: Pods) -> None:
        for number in range(5):
            api.put("pods", shapes.pod(f"p{number}"))
            api.tear()
            api.put("pods", shapes.pod(f"q{number}"))
            await until(partial(pods.items.__contains__, f"default/q{number}"))
        assert len(pods.items) == 11

    api = _scenario(tmp_path, work)
    assert len(api.asked("list")) == 1
    assert len(api.asked("watch")) >= 3


def test_one_tear_is_no_trouble(tmp_path: Path) -> None:
    told: list[None] = []

    async def work(api: ApiServer, pods: Pods) -> None:
        told.clear()
        api.tear()
        await until(lambda: len(api.asked("watch")) == 2)
        api.put("pods", shapes.pod("b"))
        await until(lambda: "default/b" in pods.items)
        assert len(told) == 1

    _scenario(tmp_path, work, changed=lambda: told.append(None))


def test_an_expired_version_is_listed_anew(tmp_path: Path) -> None:
    async def work(api: ApiServer, pods: Pods) -> None:
        api.stop()
        await until(lambda: pods.trouble)
        api.delete("pods", "a")
        api.put("pods", shapes.pod("b"))
        api.forget()
        api.start()
        await until(lambda: set(pods.items) == {"default/b"})
        await until(lambda: not pods.trouble)

    api = _scenario(tmp_path, work)
    assert len(api.asked("list")) >= 2


def test_an_expiry_within_the_stream_is_listed_anew(tmp_path: Path) -> None:
    async def work(api: ApiServer, pods: Pods) -> None:
        api.expire()
        await until(lambda: len(api.asked("list")) == 2 and len(api.asked("watch")) == 2)
        assert pods.trouble == ""

    _scenario(tmp_path, work)


def test_an_outage_leaves_the_items_and_says_why_and_since_when(tmp_path: Path) -> None:
    async def work(api: ApiServer, pods: Pods) -> None:
        api.stop()
        await until(lambda: pods.trouble)
        assert set(pods.items) == {"default/a"}
        assert pods.trouble.startswith("pods in namespace default: Connection refused")
        assert " UTC)" in pods.trouble
        since = pods.trouble.rpartition("since")[2]
        api.fail(500, times=3)
        api.start()
        await until(lambda: "500 InternalError" in pods.trouble)
        assert pods.trouble.rpartition("since")[2] == since
        await until(lambda: not pods.trouble)

    _scenario(tmp_path, work)


def test_a_connection_that_died_silently_is_noticed(tmp_path: Path) -> None:
    async def work(api: ApiServer, pods: Pods) -> None:
        api.freeze()
        api.put("pods", shapes.pod("b"))
        await until(lambda: len(api.asked("watch")) >= 2)
        assert set(pods.items) == {"default/a"}
        api.thaw()
        await until(lambda: "default/b" in pods.items)

    _scenario(tmp_path, work, silence=0.2)


def test_without_the_right_to_watch_it_polls_and_says_so(tmp_path: Path) -> None:
    async def work(api: ApiServer, pods: Pods) -> None:
        await until(lambda: pods.forbidden)
        assert pods.forbidden == "watch pods in namespace default"
        api.put("pods", shapes.pod("b"))
        await until(lambda: "default/b" in pods.items)
        assert (pods.trouble, pods.synced) == ("", True)
        api.allow("watch", "pods")
        await until(lambda: not pods.forbidden)
        lists = len(api.asked("list"))
        api.put("pods", shapes.pod("c"))
        await until(lambda: "default/c" in pods.items)
        assert len(api.asked("list")) == lists

    _scenario(tmp_path, work, lambda api: api.refuse("watch", "pods"))


def test_without_the_right_to_list_it_says_so_and_asks_slowly(tmp_path: Path) -> None:
    async def work(api: ApiServer, pods: Pods) -> None:
        await until(lambda: pods.forbidden)
        assert pods.forbidden == "list pods in namespace default"
        assert "Forbidden" in pods.trouble
        assert not pods.synced
        await until(lambda: len(api.asked("list")) == 2)
        api.allow("list", "pods")
        await until(lambda: pods.synced)
        assert (pods.forbidden, pods.trouble) == ("", "")

    _scenario(tmp_path, work, lambda api: api.refuse("list", "pods"), synced=False)


def test_a_right_that_is_taken_away_leaves_the_items(tmp_path: Path) -> None:
    async def work(api: ApiServer, pods: Pods) -> None:
        api.refuse("*", "pods")
        api.expire()
        await until(lambda: pods.forbidden)
        assert set(pods.items) == {"default/a"}
        assert pods.trouble

    _scenario(tmp_path, work)


def test_a_watch_that_ends_at_once_is_no_hot_loop(tmp_path: Path) -> None:
    async def work(api: ApiServer, pods: Pods) -> None:
        began, count = time.monotonic(), len(api.asked("watch"))
        await until(lambda: len(api.asked("watch")) >= count + 5)
        assert time.monotonic() - began >= 4 * 0.02, "each waits a tenth of the back-off at least"

    def before(api: ApiServer) -> None:
        api.switches.watches_end_at_once = True

    _scenario(tmp_path, work, before, backoff=0.2, ceiling=10)


def test_a_rotated_token_interrupts_nothing(tmp_path: Path) -> None:
    async def work(api: ApiServer, pods: Pods) -> None:
        api.rotate_token("token-2")
        api.tear()
        await until(lambda: len(api.asked("watch")) == 2)
        api.put("pods", shapes.pod("b"))
        await until(lambda: "default/b" in pods.items)

    api = _scenario(tmp_path, work)
    assert all(status == 200 for _, status in api.log)


def test_a_certificate_that_expired_is_told_and_healed(tmp_path: Path) -> None:
    async def work(api: ApiServer, pods: Pods) -> None:
        api.expire_certificate()
        api.tear()
        await until(lambda: "the certificate has expired" in pods.trouble)
        api.renew_certificate()
        await until(lambda: not pods.trouble)

    _scenario(tmp_path, work)


def test_an_object_that_stops_fitting_leaves_the_last_that_did(tmp_path: Path) -> None:
    async def work(api: ApiServer, pods: Pods) -> None:
        api.put("pods", {"metadata": {"name": "a"}, "status": {"podIP": 5}})
        api.put("pods", shapes.pod("b"))
        await until(lambda: "default/b" in pods.items)
        assert pods.items["default/a"].status.pod_ip == "10.0.1.2"
        api.delete("pods", "a")
        await until(lambda: set(pods.items) == {"default/b"})

    _scenario(tmp_path, work)


def test_three_thousand_nodes(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with reflecting(api, tmp_path, Resource(NODES, Node)) as nodes:
            await until(lambda: nodes.synced)
            assert len(nodes.items) == 3000
            api.put("nodes", shapes.node("node-7", cordoned=True))
            await until(lambda: nodes.items["node-7"].spec.unschedulable)

    with ApiServer() as api:
        api.populate(3000)
        run(scenario(api))
