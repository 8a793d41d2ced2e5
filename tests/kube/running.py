"""Clients of the API double, on the event loop that an agent runs on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from kubesonar.kube.auth.loading_rules import in_cluster
from kubesonar.kube.client import Client
from kubesonar.kube.reflector import Reflector
from kubesonar.kube.reflector_schedule import ReflectorPeriods
from kubesonar.kube.resource import Resource, pods
from kubesonar.kube.types import Pod
from tests.kube.apiserver import ApiServer

T = TypeVar("T")

PODS = Resource(pods("default"), Pod)
QUICK = ReflectorPeriods(start=0, backoff=0.01, outage=0.05, ceiling=0.05, poll=0.1, retry=0.1, watch=60, silence=5)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a scenario."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def client_of(api: ApiServer, folder: Path) -> Client:
    """A client with a pod's credentials."""
    return Client(in_cluster(api.in_cluster(folder), str(folder)))


def with_client(api: ApiServer, folder: Path, work: Callable[[Client], Awaitable[T]]) -> T:
    """Does something with a client."""

    async def scenario() -> T:
        client = client_of(api, folder)
        try:
            return await work(client)
        finally:
            client.close()

    return run(scenario())


@asynccontextmanager
async def reflecting(
    api: ApiServer,
    folder: Path,
    resource: Resource[Any] = PODS,
    options: ReflectorPeriods = QUICK,
    changed: Callable[[], None] = lambda: None,
) -> AsyncIterator[Reflector[Any]]:
    """A reflector at work."""
    client = client_of(api, folder)
    reflector: Reflector[Any] = Reflector(client, resource, changed, rng=random.Random(1), periods=options)
    task = asyncio.create_task(reflector.run())
    try:
        yield reflector
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        client.close()
