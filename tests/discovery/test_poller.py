"""When copies are listed, and when what they hold is published."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from kubesonar.discovery.poller import Poller, follow, too_many
from kubesonar.kube.resource import Resource, pods
from kubesonar.kube.types import Pod
from kubesonar.net.clock import SystemClock
from tests.kube.apiserver import ApiServer
from tests.kube.running import client_of, run
from tests.virtual_time import now, run_virtually
from tests.waiting import until


@pytest.mark.parametrize(
    ("agents", "polling", "many"), [(100, False, False), (101, False, True), (81, True, True), (80, True, False)]
)
def test_a_count_at_the_limit_does_not_go_to_and_fro(agents: int, polling: bool, many: bool) -> None:
    assert too_many(agents, 100, polling) is many


class Copy:
    """A copy that runs for ever, and notes that it was stopped."""

    synced, trouble, forbidden = True, "", ""
    items: tuple[object, ...] = ()
    stopped = False

    async def run(self) -> None:
        try:
            await asyncio.sleep(1e9)
        finally:
            self.stopped = True


def test_what_changes_in_bursts_is_published_rarely_and_at_once() -> None:
    async def scenario() -> tuple[str, list[float], bool]:
        news, copy, published = asyncio.Event(), Copy(), list[float]()
        for at in (0.5, 3.0, 3.1, 3.2, 7.0):
            asyncio.get_running_loop().call_later(at, news.set)

        def publish() -> tuple[bool, float]:
            published.append(now())
            return True, 10.0

        done = await follow([copy], news, publish, 1.0, lambda: "enough" if len(published) == 6 else "")
        return done, published, copy.stopped

    assert run_virtually(scenario()) == ("enough", [0.0, 1.0, 3.0, 4.0, 7.0, 18.0], True)


def test_a_poller_begins_with_what_another_copy_holds_and_lists_when_asked_to(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        client = client_of(api, tmp_path)
        changes: list[bool] = []

        def poller(before: Poller[Pod] | None = None) -> Poller[Pod]:
            return Poller(
                client,
                Resource(pods("default"), Pod),
                lambda: changes.append(True),
                period=lambda count: 3600.0,
                rng=random.Random(1),
                clock=SystemClock(),
                before=before,
            )

        first = poller()
        running = asyncio.create_task(first.run())
        await until(lambda: first.synced)
        running.cancel()
        second = poller(first)
        assert second.items == first.items
        assert second.synced
        running = asyncio.create_task(second.run())
        await asyncio.sleep(0)
        assert len(api.asked("list")) == 1
        api.refuse("list", "pods")
        second.urgency.request()
        await until(lambda: len(changes) == 2)
        assert second.forbidden == "list pods in namespace default"
        assert second.items == first.items
        running.cancel()
        client.close()

    with ApiServer() as api:
        api.populate(2)
        run(scenario(api))
